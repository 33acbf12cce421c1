import BSON
import CommandModel
import Query
import Storage
import Testing

@testable import Commands

/// Arguments that commands about documents share: hints, variables, updates.
@Suite("Arguments of document commands")
struct DocumentArgumentTests {
    /// Gives `json` as the argument `find.x` to `body`; the number of the error it throws, or nil.
    private func refusal(_ json: String, _ body: (Argument) throws(CommandError) -> Void) throws -> Int32? {
        try Document(extendedJSON: #"{"x":\#(json)}"#).withRaw { raw in
            guard let field = raw.firstElement else { return -1 }
            do throws(CommandError) {
                try body(Argument(command: "find", key: field.key, value: field.value))
                return nil
            } catch { return error.code.number }
        }
    }

    @Test(
        "a hint names an index or the natural order",
        arguments: [
            (#""_id_""#, nil), (#"{"_id":1.0}"#, nil), (#"{"$natural":-1}"#, nil), ("{}", nil),
            (#""$natural""#, nil), (#"{"_id":-1}"#, nil), (#"{"a":1}"#, nil), (#"{"_id":1,"a":1}"#, nil),
            (#"{"$natural":0}"#, 2), (#"{"$natural":true}"#, 2), (#"{"$natural":1,"a":1}"#, 2),
            (#"{"$natural":{"$numberDouble":"NaN"}}"#, 2), ("null", 9), ("1", 9),
        ] as [(String, Int32?)])
    func hint(json: String, code: Int32?) throws {
        #expect(try refusal(json) { argument throws(CommandError) in _ = try argument.hint() } == code)
    }

    @Test("a hint puts documents in order: which one a write of one document finds depends on it")
    func order() throws {
        func order(_ hint: Hint) throws -> SortPattern.Order? { try hint.order()?.order }
        #expect(try order(.natural(isDescending: true)) == .natural(ascending: false))
        #expect(try order(.natural(isDescending: false)) == .natural(ascending: true))
        #expect(try order(.id) == .id(ascending: true))
        #expect(try order(.none) == nil)
    }

    @Test("a missing index matters only where there is a collection")
    func missingIndex() throws {
        #expect(try refusal(#""no_such_index""#) { argument throws(CommandError) in _ = try argument.hint() } == nil)
    }

    @Test(
        "a collation is checked, and its locale must be known",
        arguments: [
            ("{}", nil), ("null", nil), (#"{"locale":"simple"}"#, nil), (#"{"locale":"de"}"#, nil),
            (#"{"locale":"xx"}"#, 2),
            (#"{"strength":1}"#, 40414), (#"{"locale":"de","strength":9}"#, 2), (#""de""#, 14),
        ] as [(String, Int32?)])
    func collation(json: String, code: Int32?) throws {
        #expect(try refusal(json) { argument throws(CommandError) in _ = try argument.collationChoice() } == code)
    }

    @Test(
        "a pipeline consists of stages that make sense in an update",
        arguments: [
            ("[]", nil), (#"[{"$set":{"a":1}},{"$unset":"b"}]"#, nil), (#"[{"$match":{}}]"#, 72),
            (#"[{"set":1}]"#, 40324), (#"[{"$set":{},"$unset":"a"}]"#, 40323), ("[1]", 14), (#"{"$set":{"a":1}}"#, nil),
        ] as [(String, Int32?)])
    func pipeline(json: String, code: Int32?) throws {
        let found = try refusal(json) { argument throws(CommandError) in
            try UpdateModification.check(argument.updateArgument(), arrayFilters: [], hasConstants: false)
        }
        #expect(found == code)
    }

    @Test("the command's variables are computed by the collation of each statement", arguments: [true, false])
    func collatedVariables(isCollated: Bool) throws {
        let collation = isCollated ? #"{"locale": "en", "strength": 2}"# : #"{"locale": "simple"}"#
        let variables = try Document(extendedJSON: #"{"same": {"$eq": ["a", "A"]}}"#)
        let environment = try ExpressionEnvironment.anyTime.defining(variables)
        let fields = #""q": {"$expr": "$$same"}, "collation": \#(collation)"#
        var deletion = try DeleteStatement(Document(extendedJSON: #"{\#(fields), "limit": 1}"#))
        deletion.variables = variables
        let deleting = try deletion.operation(
            on: TestEngine.namespace, environment.collated(by: deletion.collation.early))
        #expect(try deleting.filter.matches(.empty) == isCollated)
        var update = try UpdateStatement(Document(extendedJSON: #"{\#(fields), "u": {}}"#))
        update.variables = variables
        let (updating, _) = try update.operation(
            on: TestEngine.namespace, TestServer().state, environment.collated(by: update.collation.early))
        #expect(try updating.filter.matches(.empty) == isCollated)
    }

    @Test("one statement is explained")
    func explainedBatch() async throws {
        let server = try TestServer()
        for statement in [#""u": {}"#, #""limit": 1"#] {
            let (name, list) = statement.contains("u") ? ("update", "updates") : ("delete", "deletes")
            let one = #"{"q": {}, \#(statement)}"#
            for (batch, code) in [("", 16), ("\(one), \(one)", 16), (one, 10107)] as [(String, Int32)] {
                let command = #"{"explain": {"\#(name)": "c", "\#(list)": [\#(batch)]}}"#
                #expect(try await server.failure(command)?.code.number == code)
            }
        }
    }

    @Test("the smallest decimal is true where a number stands for a flag")
    func lenientBool() throws {
        var flag = false
        _ = try refusal(#"{"$numberDecimal": "1E-6176"}"#) { argument throws(CommandError) in
            flag = try argument.lenientBool()
        }
        #expect(flag)
    }

    @Test("array filters do not go with a pipeline, constants with nothing else")
    func companions() throws {
        let filtered = try refusal("[]") { argument throws(CommandError) in
            try UpdateModification.check(argument.updateArgument(), arrayFilters: [.empty], hasConstants: true)
        }
        #expect(filtered == 9)
        let constants = try refusal("{}") { argument throws(CommandError) in
            try UpdateModification.check(argument.updateArgument(), arrayFilters: [], hasConstants: true)
        }
        #expect(constants == 51198)
    }
}
