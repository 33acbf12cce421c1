import BSON
import CommandModel
import Testing

@testable import Query

@Suite("Differences of documents")
struct DocumentDeltaTests {
    private static let cases: [(String, String, String)] = [
        (#"{"_id":1,"a":1}"#, #"{"u":{"a":2}}"#, #"{"_id":1,"a":2}"#),
        (#"{"_id":1,"a":1,"b":2}"#, #"{"d":{"a":false}}"#, #"{"_id":1,"b":2}"#),
        (#"{"_id":1,"a":1,"b":2}"#, #"{"i":{"c":3}}"#, #"{"_id":1,"a":1,"b":2,"c":3}"#),
        (#"{"_id":1,"c":1,"b":2}"#, #"{"i":{"c":3}}"#, #"{"_id":1,"b":2,"c":3}"#),
        (#"{"_id":1}"#, #"{"u":{"a":2}}"#, #"{"_id":1,"a":2}"#),
        (#"{"_id":1,"a":1}"#, #"{"d":{"x":false}}"#, #"{"_id":1,"a":1}"#),
        (#"{"_id":1,"a":1}"#, #"{}"#, #"{"_id":1,"a":1}"#),
        (#"{"_id":1,"$a.b":1}"#, #"{"u":{"$a.b":2}}"#, #"{"_id":1,"$a.b":2}"#),
        (#"{"_id":1,"a":{"b":1,"c":2}}"#, #"{"sa":{"u":{"b":5},"i":{"d":6}}}"#, #"{"_id":1,"a":{"b":5,"c":2,"d":6}}"#),
        (#"{"_id":1,"a":5}"#, #"{"sa":{"u":{"b":5}}}"#, #"{"_id":1,"a":5}"#),
        (#"{"_id":1}"#, #"{"sa":{"u":{"b":5}}}"#, #"{"_id":1}"#),
        (#"{"_id":1,"a":[1,2,3]}"#, #"{"sa":{"a":true,"u1":9}}"#, #"{"_id":1,"a":[1,9,3]}"#),
        (#"{"_id":1,"a":[1,2,3]}"#, #"{"sa":{"a":true,"l":1}}"#, #"{"_id":1,"a":[1]}"#),
        (#"{"_id":1,"a":[1]}"#, #"{"sa":{"a":true,"u3":4}}"#, #"{"_id":1,"a":[1,null,null,4]}"#),
        (#"{"_id":1,"a":[{"b":1}]}"#, #"{"sa":{"a":true,"s0":{"u":{"b":2}}}}"#, #"{"_id":1,"a":[{"b":2}]}"#),
        (#"{"_id":1,"a":[1]}"#, #"{"sa":{"a":true,"s7":{"u":{"b":2}}}}"#, #"{"_id":1,"a":[1]}"#),
    ]

    @Test("a difference makes one version of another, once or twice", arguments: cases)
    func applying(document: String, difference: String, expected: String) throws {
        let program = try json(difference).withRaw { UpdateProgram(applying: try DocumentDelta($0)) }
        let first = try json(document).withRaw { try program.apply(to: $0, filter: .everything) } ?? json(document)
        #expect(first.extendedJSON() == json(expected).extendedJSON())
        let second = try first.withRaw { try program.apply(to: $0, filter: .everything) } ?? first
        #expect(second.extendedJSON() == first.extendedJSON())
    }

    @Test(
        "what is no difference is refused",
        arguments: [
            #"{"u":1}"#, #"{"x":{}}"#, #"{"sa":1}"#, #"{"u":{"a":1},"d":{"a":1}}"#, #"{"u":{"a":1,"a":2}}"#,
            #"{"sa":{"a":true,"l":-1}}"#, #"{"sa":{"a":true,"l":1.5}}"#, #"{"sa":{"a":true,"x1":1}}"#,
            #"{"sa":{"a":true,"u":1}}"#, #"{"sa":{"a":true,"u-1":1}}"#, #"{"sa":{"a":true,"u99999999999":1}}"#,
            #"{"":1}"#,
        ])
    func malformed(difference: String) {
        let error = #expect(throws: CommandError.self) {
            _ = try json(difference).withRaw { try DocumentDelta($0) }
        }
        #expect(error?.code == .badValue)
    }

    @Test("a difference neither fills an array without end nor nests without end, nor changes the _id")
    func bounds() throws {
        let long = try json(#"{"sa":{"a":true,"l":2000000000}}"#).withRaw {
            UpdateProgram(applying: try DocumentDelta($0))
        }
        #expect(throws: CommandError.self) {
            try json(#"{"_id":1,"a":[]}"#).withRaw { try long.apply(to: $0, filter: .everything) }
        }
        let deep = String(repeating: #"{"sa":"#, count: 190) + "{}" + String(repeating: "}", count: 190)
        #expect(throws: CommandError.self) { try json(deep).withRaw { _ = try DocumentDelta($0) } }
        let id = try json(#"{"u":{"_id":2}}"#).withRaw { UpdateProgram(applying: try DocumentDelta($0)) }
        #expect(throws: CommandError.self) {
            try json(#"{"_id":1}"#).withRaw { try id.apply(to: $0, filter: .everything) }
        }
    }
}
