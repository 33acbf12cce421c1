import BSON
import CommandModel
import Testing

@testable import Query

/// An expression, a document and what comes out: a value in extended JSON, or nothing.
struct ExpressionCheck: CustomTestStringConvertible, Sendable {
    let expression: String
    let document: String
    let expected: String?

    init(_ expression: String, _ expected: String?, of document: String = "{}") {
        (self.expression, self.document, self.expected) = (expression, document, expected)
    }

    var testDescription: String { "\(expression) of \(document)" }

    func run() throws {
        let compiled = try Self.compile(expression)
        let wanted = expected.map { json(#"{"v": \#($0)}"#) }
        try json(document).withRaw { raw throws(CommandError) in
            try compiled.withValue(of: raw) { value in
                let found = value.map { value in Document { $0.append("v", value) } }
                #expect(found == wanted, "\(found?.extendedJSON(.canonical) ?? "nothing")")
            }
        }
    }

    /// The code of the error while compiling or evaluating.
    static func code(_ expression: String, of document: String = "{}") -> Int32? {
        errorCode {
            let compiled = try compile(expression)
            try json(document).withRaw { raw throws(CommandError) in try compiled.withValue(of: raw) { _ in } }
        }
    }

    static func compile(_ expression: String) throws -> CompiledExpression {
        try json(#"{"v": \#(expression)}"#).withRaw { raw throws(CommandError) in
            try CompiledExpression(compiling: raw["v"] ?? .nothing(.null), in: .none)
        }
    }
}
