internal import BSON
internal import CommandModel

/// A compiled `$redact`: an expression that says of a document, and of each one in it, whether it stays.
//
// Safety: immutable after init; the pointers in it point into the arena it owns.
package final class Redact: @unchecked Sendable {
    private let arena: ProgramArena
    let expression: Expression
    /// Of `$$CURRENT`, which is each document in turn; `$$ROOT` stays.
    let currentSlot: Int
    let settings: EvaluatorSettings

    init(compiling value: RawValue, in environment: ExpressionEnvironment) throws(CommandError) {
        let arena = ProgramArena()
        var compiler = ExpressionCompiler(arena: arena, environment: environment)
        compiler.scope.bindDecisions(in: arena)
        currentSlot = compiler.scope.bind(["CURRENT"])
        expression = try compiler.compile(arena.copy(value))
        settings = compiler.settings
        self.arena = arena
    }
}

final class RedactRun: StageRun {
    private enum Decision {
        case descend, prune, keep
    }

    private let redact: Redact
    private let run: Evaluator
    private var root = RawDocument.none

    init(_ redact: Redact) {
        self.redact = redact
        run = Evaluator(redact.settings)
    }

    func process(_ input: Batch, from position: inout Int, into output: inout Batch) throws(CommandError) {
        try input.forEach(from: &position) { document throws(CommandError) in
            guard !output.isFull else { return false }
            root = document
            switch try decide(document) {
            case .prune: break
            case .keep: output.append(document)
            case .descend:
                // A document that fails half way must not be in the batch.
                let result = try redacted(document)
                result.withRaw { output.append($0) }
            }
            return true
        }
    }

    private func redacted(_ document: RawDocument) throws(CommandError) -> Document {
        var builder = DocumentBuilder()
        try append(document, to: &builder)
        return builder.finish()
    }

    private func decide(_ document: RawDocument) throws(CommandError) -> Decision {
        run.begin(root)
        run[variable: redact.currentSlot] = RawValue(type: .document, bytes: document.bytes)
        let value = try redact.expression.evaluate(run)
        switch value?.type == .string ? value?.string : nil {
        case "descend": return .descend
        case "prune": return .prune
        case "keep": return .keep
        default:
            throw CommandError(
                ErrorCode(17053),
                "$redact's expression should not return anything aside from the variables "
                    + "$$KEEP, $$DESCEND, and $$PRUNE, but returned \(value?.errorText ?? "missing")")
        }
    }

    /// The recursion is as deep as documents may nest.
    private func append(_ document: RawDocument, to builder: inout DocumentBuilder) throws(CommandError) {
        for element in document {
            if let inner = element.value.document {
                switch try decide(inner) {
                case .prune: break
                case .keep: builder.append(element)
                case .descend:
                    builder.beginDocument(element.key)
                    try append(inner, to: &builder)
                    builder.end()
                }
            } else if let array = element.value.array {
                builder.beginArray(element.key)
                try append(array: array, to: &builder)
                builder.end()
            } else {
                builder.append(element)
            }
        }
    }

    private func append(array: RawDocument, to builder: inout DocumentBuilder) throws(CommandError) {
        var index = 0
        for element in array {
            if let inner = element.value.document {
                switch try decide(inner) {
                case .prune: continue
                case .keep: builder.append(index: index, element.value)
                case .descend:
                    builder.beginDocument(index: index)
                    try append(inner, to: &builder)
                    builder.end()
                }
            } else if let inner = element.value.array {
                builder.beginArray(index: index)
                try append(array: inner, to: &builder)
                builder.end()
            } else {
                builder.append(index: index, element.value)
            }
            index += 1
        }
    }
}
