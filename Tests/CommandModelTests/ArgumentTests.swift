import BSON
import Testing

@testable import CommandModel

@Suite("Argument")
struct ArgumentTests {
    @Test(
        "an integer is a double cut off, or a decimal rounded half to even",
        arguments: [
            ("7", 7), (#"{"$numberLong":"-8"}"#, -8), ("1.9", 1), ("-1.9", -1),
            (#"{"$numberDecimal":"0.5"}"#, 0), (#"{"$numberDecimal":"0.51"}"#, 1), (#"{"$numberDecimal":"1.5"}"#, 2),
            (#"{"$numberDecimal":"2.5"}"#, 2), (#"{"$numberDecimal":"-0.5"}"#, 0), (#"{"$numberDecimal":"-1.5"}"#, -2),
            (#"{"$numberDouble":"NaN"}"#, 0), (#"{"$numberDecimal":"NaN"}"#, 0),
            (#"{"$numberDouble":"Infinity"}"#, Int64.max), (#"{"$numberDecimal":"-Infinity"}"#, Int64.min),
            (#"{"$numberDecimal":"1E+40"}"#, Int64.max), (#"{"$numberDecimal":"9223372036854775807"}"#, Int64.max),
        ])
    func integers(json: String, expected: Int64) throws {
        #expect(try read(json, Argument.integer).get() == expected)
    }

    @Test("what is below zero is refused where only more makes sense, after it is rounded")
    func nonNegative() throws {
        #expect(try read("-1", Argument.nonNegativeInteger).error == .badValue)
        #expect(try read(#"{"$numberDecimal":"-0.50001"}"#, Argument.nonNegativeInteger).error == .badValue)
        #expect(try read("-0.9", Argument.nonNegativeInteger).get() == 0)
        #expect(try read(#"{"$numberDecimal":"-0.5"}"#, Argument.nonNegativeInteger).get() == 0)
    }

    @Test("a value of a wrong type is told by the argument's full name and the type's alias")
    func wrongType() throws {
        let result = try read(#""seven""#, Argument.integer)
        guard case .failure(let error) = result else {
            Issue.record("a string was taken for a number")
            return
        }
        #expect(error.code == .typeMismatch)
        #expect(
            error.message
                == "BSON field 'find.x' is the wrong type 'string', expected types '[long, int, decimal, double]'")
    }

    @Test("null and undefined stand for an argument that is not given")
    func omitted() throws {
        #expect(try read("null", { $0.optional(Argument.bool) }).get() == nil)
        #expect(try read(#"{"$undefined":true}"#, { $0.optional(Argument.bool) }).get() == nil)
        #expect(try read("true", { $0.optional(Argument.bool) }).get() == true)
        #expect(try read("1", { $0.optional(Argument.bool) }).error == .typeMismatch)
    }

    @Test("a lenient flag is a boolean or any number, and nothing else")
    func flags() throws {
        #expect(try read("2.5", Argument.lenientBool).get())
        #expect(try !read(#"{"$numberDecimal":"-0"}"#, Argument.lenientBool).get())
        #expect(try read(#""true""#, Argument.lenientBool).error == .typeMismatch)
        #expect(try read("1", Argument.bool).error == .typeMismatch)
    }

    @Test("each element of a list of documents must be a document")
    func documents() throws {
        #expect(try read(#"[{"a":1},{}]"#, Argument.documents).get().count == 2)
        #expect(try read(#"[{"a":1},2]"#, Argument.documents).error == .typeMismatch)
        #expect(try read(#"{"0":{}}"#, Argument.documents).error == .typeMismatch)
    }
}

extension Argument {
    fileprivate func optional<R>(
        _ read: @escaping (Argument) -> () throws(CommandError) -> R
    ) -> () throws(CommandError) -> R? {
        { () throws(CommandError) in try ifPresent(read) }
    }
}

extension Result where Failure == CommandError {
    fileprivate var error: ErrorCode? {
        if case .failure(let error) = self { error.code } else { nil }
    }
}
