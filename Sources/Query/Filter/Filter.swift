package import BSON
package import CommandModel

/// A compiled query filter: which documents match.
///
/// Compiled once per command and run over rows as they lie in memory; a row that does not match costs no allocation.
package struct Filter: Sendable {
    let program: FilterProgram

    /// - Parameters:
    ///   - environment: how strings compare, and what `$expr` may name.
    ///   - allowsNear: whether `$near` may stand in it: where documents can come in the order of ``near``.
    /// - Throws: `BadValue`, `FailedToParse` and their like, as MongoDB answers to a malformed filter.
    package init(
        compiling filter: RawDocument, environment: ExpressionEnvironment, allowsNear: Bool = false
    ) throws(CommandError) {
        program = try FilterProgram(filter, environment, environment.collator, allowsNear: allowsNear)
    }

    package init(
        compiling filter: Document, environment: ExpressionEnvironment, allowsNear: Bool = false
    ) throws(CommandError) {
        self = try filter.withRaw { raw throws(CommandError) in
            try Filter(compiling: raw, environment: environment, allowsNear: allowsNear)
        }
    }

    /// A filter without `$expr`.
    ///
    /// - Parameter collator: compares strings; nil compares their bytes.
    package init(
        compiling filter: RawDocument, collator: Collator? = nil, allowsNear: Bool = false
    ) throws(CommandError) {
        program = try FilterProgram(filter, nil, collator, allowsNear: allowsNear)
    }

    package init(
        compiling filter: Document, collator: Collator? = nil, allowsNear: Bool = false
    ) throws(CommandError) {
        self = try filter.withRaw { raw throws(CommandError) in
            try Filter(compiling: raw, collator: collator, allowsNear: allowsNear)
        }
    }

    /// The filter that matches every document.
    package static let everything = Filter(program: FilterProgram())

    private init(program: FilterProgram) {
        self.program = program
    }

    /// - Throws: what an `$expr` of the filter refuses.
    @inline(__always)
    package func matches(_ document: RawDocument) throws(CommandError) -> Bool {
        guard program.evaluators == nil else { return try program.evaluate(document, nil) }
        return matchesPlainly(document)
    }

    package func matches(_ document: Document) throws(CommandError) -> Bool {
        try document.withRaw { raw throws(CommandError) in try matches(raw) }
    }

    /// As ``matches(_:)``, of a filter that was compiled where there may be no `$expr`.
    @inline(__always)
    func matchesPlainly(_ document: RawDocument) -> Bool {
        withExtendedLifetime(program) { program.root.matches(document, nil) }
    }

    /// Whether the document matches, and where: the index of the element that matched in the outermost array, which
    /// is what the positional operator `$` stands for.
    package func match(_ document: RawDocument) throws(CommandError) -> Match {
        var position = -1
        guard try program.evaluate(document, &position) else { return .no }
        return .yes(arrayIndex: position < 0 ? nil : position)
    }

    package enum Match: Sendable, Equatable {
        case no
        case yes(arrayIndex: Int?)
    }

    /// True for `{}` and for what was found to be no condition at all.
    package var matchesEverything: Bool {
        if case .constant(true) = program.root { true } else { false }
    }

    /// What the filter demands of `_id`, for narrowing by key. Strings in it are compared by ``collator``.
    package var identity: IDConstraint { program.identity }

    package var collator: Collator? { program.collator }
    /// The `$near` of the filter: it decides which documents match, and the order in which they come.
    package var near: NearCondition? { program.near }

    /// Top-level fields that have exactly one possible value in a match, with dotted paths as written: what an upsert
    /// starts from. The values are borrowed from the filter: use them inside `body`.
    func withEqualities<R, E: Error>(_ body: ([PathEquality]) throws(E) -> R) throws(E) -> R {
        defer { withExtendedLifetime(program) {} }
        return try body(program.equalities)
    }
}

/// A path and the one value that a filter allows there.
struct PathEquality {
    let path: RawKey
    let value: RawValue
}

/// The memory and the root of a compiled filter.
///
// Safety: immutable after init; the pointers in it point into the arena it owns.
final class FilterProgram: @unchecked Sendable {
    private let arena: ProgramArena
    /// What was compiled.
    let source: RawDocument
    let environment: ExpressionEnvironment?
    let root: DocumentTest
    let identity: IDConstraint
    /// Nodes refer to it.
    let collator: Collator?
    let equalities: [PathEquality]
    /// Nil when there is no `$expr` in the filter.
    let evaluators: EvaluatorPool?
    let near: NearCondition?

    init() {
        evaluators = nil
        environment = nil
        arena = ProgramArena()
        source = Document.empty.withRaw { [arena] in arena.copy($0) }
        root = .constant(true)
        identity = .unconstrained
        collator = nil
        equalities = []
        near = nil
    }

    init(
        _ filter: RawDocument, _ environment: ExpressionEnvironment?, _ collator: Collator?, allowsNear: Bool
    ) throws(CommandError) {
        let arena = ProgramArena()
        source = arena.copy(filter)
        self.environment = environment
        var compiler = FilterCompiler(
            arena: arena, environment: environment, collator: collator, allowsNear: allowsNear)
        root = try compiler.compile(source)
        evaluators = compiler.expressions.map { EvaluatorPool($0.settings) }
        identity = IDConstraint(of: compiler.conditions, root: root)
        equalities = compiler.conditions.compactMap(\.equality)
        near = compiler.near
        self.arena = arena
        self.collator = collator
    }

    func evaluate(_ document: RawDocument, _ position: MatchPosition?) throws(CommandError) -> Bool {
        defer { withExtendedLifetime(self) {} }
        guard let evaluators else { return root.matches(document, position) }
        return try evaluators.with { run throws(CommandError) in
            run.begin(document)
            return try root.evaluate(document, position, run)
        }
    }
}
