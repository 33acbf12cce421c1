import BSON
import CommandModel
import Synchronization
import Testing

@testable import Query

/// Loops within loops end when their command must.
@Suite struct PatienceTests {
    private static let nested = (0..<4).reduce(#"{"$sum": ["$$value", "$$this"]}"#) { body, _ in
        #"{"$reduce": {"input": {"$range": [0, 100000]}, "initialValue": 0, "in": \#(body)}}"#
    }

    private final class Count: Sendable {
        private let value = Atomic<Int>(0)

        func next() -> Int { value.add(1, ordering: .relaxed).newValue }
    }

    @Test(
        "a loop over large arrays ends with the reason",
        arguments: [
            nested, #"{"$map": {"input": {"$range": [0, 100000]}, "in": \#(nested)}}"#,
            #"{"$filter": {"input": {"$range": [0, 100000]}, "cond": \#(nested)}}"#,
        ])
    func loops(_ expression: String) throws {
        let asked = Count()
        var environment = ExpressionEnvironment.none
        environment.patience = Patience {
            asked.next() < 100 ? nil : CommandError(.interrupted, "enough")
        }
        let code = errorCode {
            let compiled = try json(#"{"v": \#(expression)}"#).withRaw { raw in
                try CompiledExpression(compiling: #require(raw["v"]), in: environment)
            }
            try json("{}").withRaw { raw throws(CommandError) in try compiled.withValue(of: raw) { _ in } }
        }
        #expect(code == ErrorCode.interrupted.number)
        #expect(asked.next() == 101)
    }

    @Test("what a cursor runs has the patience of the command that continues it")
    func renewed() throws {
        let patience = Patience { CommandError(.interrupted, "over") }
        var environment = ExpressionEnvironment.none
        environment.patience = patience
        let source = #"{"$map": {"input": {"$range": [0, 40000]}, "in": "$$this"}}"#
        let compiled = try json(#"{"v": \#(source)}"#).withRaw { raw in
            try CompiledExpression(compiling: #require(raw["v"]), in: environment)
        }
        func code() -> Int32? {
            errorCode {
                try json("{}").withRaw { raw throws(CommandError) in try compiled.withValue(of: raw) { _ in } }
            }
        }
        #expect(code() == ErrorCode.interrupted.number)
        patience.renew { nil }
        #expect(code() == nil)
    }

    /// Each check once left two thunks more around the closure: the stack would not hold so many.
    @Test("a check costs no more after many that went before")
    func many() throws {
        let asked = Count()
        let patience = Patience { asked.next() > 1_000_000 ? CommandError(.interrupted, "enough") : nil }
        #expect(throws: CommandError.self) {
            while true { try patience.check() }
        }
    }
}
