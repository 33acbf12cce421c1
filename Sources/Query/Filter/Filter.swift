package import BSON
package import CommandModel
internal import Synchronization

/// A compiled query filter: which documents match.
///
/// Compiled once per command and run over rows as they lie in memory; a row that does not match costs no allocation.
package struct Filter: Sendable {
    let program: FilterProgram

    /// - Parameters:
    ///   - environment: how strings compare, and what `$expr` may name.
    ///   - features: what may stand in it that takes more than the document that is asked about.
    /// - Throws: `BadValue`, `FailedToParse` and their like, as MongoDB answers to a malformed filter.
    package init(
        compiling filter: RawDocument, environment: ExpressionEnvironment, allowing features: FilterFeatures = []
    ) throws(CommandError) {
        program = try FilterProgram(filter, environment, environment.collator, allowing: features)
    }

    package init(
        compiling filter: Document, environment: ExpressionEnvironment, allowing features: FilterFeatures = []
    ) throws(CommandError) {
        self = try filter.withRaw { raw throws(CommandError) in
            try Filter(compiling: raw, environment: environment, allowing: features)
        }
    }

    /// A filter without `$expr`.
    ///
    /// - Parameters:
    ///   - collator: compares strings; nil compares their bytes.
    ///   - patience: when to give up; nil for never.
    package init(
        compiling filter: RawDocument, collator: Collator? = nil, allowing features: FilterFeatures = [],
        patience: Patience? = nil
    ) throws(CommandError) {
        program = try FilterProgram(filter, nil, collator, allowing: features, patience: patience)
    }

    package init(
        compiling filter: Document, collator: Collator? = nil, allowing features: FilterFeatures = [],
        patience: Patience? = nil
    ) throws(CommandError) {
        self = try filter.withRaw { raw throws(CommandError) in
            try Filter(compiling: raw, collator: collator, allowing: features, patience: patience)
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
        guard program.isPlain else { return try program.evaluate(document, nil) }
        return matchesPlainly(document)
    }

    package func matches(_ document: Document) throws(CommandError) -> Bool {
        try document.withRaw { raw throws(CommandError) in try matches(raw) }
    }

    /// As ``matches(_:)``, of a filter that was compiled where there may be no `$expr`, however long that takes.
    @inline(__always)
    func matchesPlainly(_ document: RawDocument) -> Bool {
        withExtendedLifetime(program) { program.root.matches(document, .none) }
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

    /// Whether it has a `$text`, which says nothing before it knows its index (``bound(to:trustingTerms:)``).
    package var searchesText: Bool { program.text != nil }

    /// How well the document fits what the `$text` of the filter looks for; 0 when it has none of the words.
    package func textScore(of document: RawDocument) -> Double { program.text?.score(of: document) ?? 0 }

    /// The same filter over documents that have a text index.
    ///
    /// - Parameter trustsTerms: it is asked only about documents that the index has for one of the words.
    package func bound(to index: IndexDefinition, trustingTerms: Bool) throws(CommandError) -> Filter {
        try withExtendedLifetime(program) { () throws(CommandError) in
            Filter(
                program: try FilterProgram(
                    program.source, program.environment, program.collator, allowing: program.features,
                    text: TextBinding(index: index, trustsTerms: trustingTerms)))
        }
    }

    /// Top-level fields that have exactly one possible value in a match, with dotted paths as written: what an upsert
    /// starts from. The values are borrowed from the filter: use them inside `body`.
    func withEqualities<R, E: Error>(_ body: ([PathEquality]) throws(E) -> R) throws(E) -> R {
        defer { withExtendedLifetime(program) {} }
        return try body(program.equalities)
    }
}

/// What a filter may hold that takes more than a look at a document.
package struct FilterFeatures: OptionSet, Sendable {
    package let rawValue: Int

    package init(rawValue: Int) {
        self.rawValue = rawValue
    }

    /// `$near`: documents can come in the order of ``Filter/near``.
    package static let near = FilterFeatures(rawValue: 1)
    /// `$text`: documents can be found by a text index.
    package static let text = FilterFeatures(rawValue: 2)
    /// Of a command over a collection.
    package static let query: FilterFeatures = [.near, .text]
}

/// The text index by which a filter's `$text` is understood.
struct TextBinding {
    let index: IndexDefinition
    let trustsTerms: Bool
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
    /// Whether it takes neither an evaluator nor long.
    let isPlain: Bool
    /// Nil when it never takes long.
    private let patience: Patience?
    /// Of the work until the next look at the clock, about: documents may be asked about by several threads.
    private let unitsLeft = Atomic(WorkMeter.unitsBetweenChecks)
    let near: NearCondition?
    let text: TextCondition?
    let features: FilterFeatures

    init() {
        (text, features) = (nil, [])
        evaluators = nil
        (patience, isPlain) = (nil, true)
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
        _ filter: RawDocument, _ environment: ExpressionEnvironment?, _ collator: Collator?,
        allowing features: FilterFeatures, text index: TextBinding? = nil, patience: Patience? = nil
    ) throws(CommandError) {
        let arena = ProgramArena()
        source = arena.copy(filter)
        self.environment = environment
        var compiler = FilterCompiler(
            arena: arena, environment: environment, collator: collator, features: features, textIndex: index)
        root = try compiler.compile(source)
        evaluators = compiler.expressions.map { EvaluatorPool($0.settings) }
        self.patience = root.mayTakeLong ? environment?.patience ?? patience : nil
        isPlain = evaluators == nil && self.patience == nil
        identity = IDConstraint(of: compiler.conditions, root: root)
        equalities = compiler.conditions.compactMap(\.equality)
        near = compiler.near
        text = compiler.text
        self.features = features
        self.arena = arena
        self.collator = collator
    }

    /// - Parameter position: gets the index of the element that matched in the outermost array.
    func evaluate(
        _ document: RawDocument, _ position: UnsafeMutablePointer<Int>?
    ) throws(CommandError) -> Bool {
        guard let patience else { return try evaluate(document, MatchContext(position: position, meter: nil)) }
        var meter = MatchMeter(patience, left: unitsLeft.load(ordering: .relaxed))
        let matches = try withUnsafeMutablePointer(to: &meter) { meter throws(CommandError) in
            try evaluate(document, MatchContext(position: position, meter: meter))
        }
        unitsLeft.store(meter.left, ordering: .relaxed)
        if let failure = meter.failure { throw failure }
        return matches
    }

    private func evaluate(_ document: RawDocument, _ context: MatchContext) throws(CommandError) -> Bool {
        defer { withExtendedLifetime(self) {} }
        guard let evaluators else { return root.matches(document, context) }
        return try evaluators.with { run throws(CommandError) in
            run.begin(document)
            return try root.evaluate(document, context, run)
        }
    }
}
