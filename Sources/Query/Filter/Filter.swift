package import BSON
package import CommandModel

/// A compiled query filter: which documents match.
///
/// Compiled once per command and run over rows as they lie in memory; a row that does not match costs no allocation.
package struct Filter: Sendable {
    let program: FilterProgram

    /// - Throws: `BadValue`, `FailedToParse` and their like, as MongoDB answers to a malformed filter.
    package init(compiling filter: RawDocument) throws(CommandError) {
        program = try FilterProgram(filter)
    }

    package init(compiling filter: Document) throws(CommandError) {
        program = try filter.withRaw { raw throws(CommandError) in try FilterProgram(raw) }
    }

    /// The filter that matches every document.
    package static let everything = Filter(program: FilterProgram())

    private init(program: FilterProgram) {
        self.program = program
    }

    @inline(__always)
    package func matches(_ document: RawDocument) -> Bool {
        withExtendedLifetime(program) { program.root.matches(document, nil) }
    }

    /// Whether the document matches, and where: the index of the element that matched in the outermost array, which
    /// is what the positional operator `$` stands for.
    package func match(_ document: RawDocument) -> Match {
        var position = -1
        let matches = withExtendedLifetime(program) { program.root.matches(document, &position) }
        guard matches else { return .no }
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

    /// What the filter demands of `_id`, for narrowing by key.
    package var identity: IDConstraint { program.identity }

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
    let root: DocumentTest
    let identity: IDConstraint
    let equalities: [PathEquality]

    init() {
        arena = ProgramArena()
        root = .constant(true)
        identity = .unconstrained
        equalities = []
    }

    init(_ filter: RawDocument) throws(CommandError) {
        let arena = ProgramArena()
        let source = arena.copy(filter)
        var compiler = FilterCompiler(arena: arena)
        root = try compiler.compile(source)
        identity = IDConstraint(of: compiler.conditions, root: root)
        equalities = compiler.conditions.compactMap(\.equality)
        self.arena = arena
    }
}
