internal import BSON
internal import CommandModel

/// A compiled `$setWindowFields: {partitionBy:, sortBy:, output: {field: {function, window:}}}`.
///
/// Source: https://www.mongodb.com/docs/manual/reference/operator/aggregation/setWindowFields/
//
// Safety: immutable after init; the pointers in it point into the arena it owns.
package final class WindowFields: @unchecked Sendable {
    struct Output {
        let path: ArenaList<RawKey>
        let function: WindowFunction
        let frame: WindowFrame
    }

    private let arena: ProgramArena
    /// Nil for one partition of everything.
    let partitionBy: Expression?
    let sortBy: SortPattern
    /// The path of `sortBy`, where that has one field.
    let positionPath: Expression?
    let outputs: [Output]
    let settings: EvaluatorSettings
    let collator: Collator?

    init(compiling value: RawValue, in environment: ExpressionEnvironment, _ collator: Collator?) throws(CommandError) {
        let arena = ProgramArena()
        var compiler = ExpressionCompiler(arena: arena, environment: environment)
        let syntax = try Syntax(arena.copy(value))
        sortBy =
            try syntax.sortBy.map { pattern throws(CommandError) in
                try SortPattern(compiling: pattern, collator: collator)
            } ?? .none
        partitionBy = try syntax.partitionBy.map { value throws(CommandError) in try compiler.compile(value) }
        var outputs: [Output] = []
        for field in syntax.output {
            outputs.append(try Self.output(field, (sortBy, syntax.namesOrder), outputs, &compiler))
        }
        self.outputs = outputs
        if let key = syntax.sortBy?.firstKey, sortBy.fields.count == 1 {
            positionPath = .path(ValuePath(slot: Evaluator.rootSlot, steps: arena.list(key.components)))
        } else {
            positionPath = nil
        }
        self.arena = arena
        self.collator = collator
        settings = compiler.settings
    }

    private struct Syntax {
        var partitionBy: RawValue?
        var sortBy: RawDocument?
        /// Whether there is a `sortBy`, be it empty.
        var namesOrder = false
        var output: RawDocument

        init(_ value: RawValue) throws(CommandError) {
            guard let document = value.document else {
                throw CommandError(
                    .failedToParse,
                    "the $setWindowFields stage specification must be an object, found "
                        + "\(value.type.alias)")
            }
            var output: RawDocument?
            for field in document {
                switch field.key {
                case "partitionBy": partitionBy = field.value
                case "sortBy":
                    guard !field.value.isNullish else { continue }
                    let pattern = try Self.object(field)
                    namesOrder = true
                    sortBy = pattern.isEmpty ? nil : pattern
                case "output": output = try Self.object(field)
                default:
                    throw CommandError(
                        .idlFailedToParse, "BSON field '$setWindowFields.\(field.key.string)' is an unknown field.")
                }
            }
            guard let output else {
                throw CommandError(
                    .idlMissingField, "BSON field '$setWindowFields.output' is missing but a required field")
            }
            self.output = output
        }

        private static func object(_ field: RawElement) throws(CommandError) -> RawDocument {
            guard let document = field.value.document else {
                throw CommandError(
                    .typeMismatch,
                    "BSON field '$setWindowFields.\(field.key.string)' is the wrong type "
                        + "'\(field.value.type.alias)', expected type 'object'")
            }
            return document
        }
    }

    private static func output(
        _ field: RawElement, _ order: (sortBy: SortPattern, isNamed: Bool), _ others: [Output],
        _ compiler: inout ExpressionCompiler
    ) throws(CommandError) -> Output {
        try checkFieldPath(field.key)
        let path = field.key.components
        let isTaken = others.contains { zip($0.path.nodes, path).allSatisfy { $0 == $1 } }
        guard !isTaken else {
            throw CommandError(
                ErrorCode(40176), "$setWindowFields 'output' contains two conflicting paths: '\(field.key.string)'")
        }
        let functions = try WindowFunctionCompiler(field: field, sortBy: order.sortBy, namesOrder: order.isNamed)
        let (function, frame) = try functions.compile(&compiler)
        return Output(path: compiler.arena.list(path), function: function, frame: frame)
    }

    /// Whether anything looks at the numbers or dates in `sortBy`.
    var needsPositions: Bool {
        outputs.contains { output in
            switch output.frame {
            case .range, .time: true
            case .documents, .peers: output.function.needsPositions
            }
        }
    }
}
