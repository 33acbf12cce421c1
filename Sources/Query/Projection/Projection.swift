package import BSON
package import CommandModel

/// A compiled projection: what becomes of the fields of a document, in a reply or in a stage of a pipeline.
///
/// One program serves `find`, `$project`, `$unset` and `$addFields`: they differ in what happens to a field that is not
/// named, and in what a specification may say (``Dialect``).
package struct Projection: Sendable {
    /// Where a projection stands decides what it may say.
    package enum Dialect: Sendable {
        /// `find` and `findAndModify`: with `$slice`, `$elemMatch` and the positional `$`.
        case find
        /// `$project`.
        case stage
    }

    let program: ProjectionProgram

    /// Shows documents as they are.
    package static let identity = Projection(program: ProjectionProgram())

    /// Leaves out the field with which a document carries its text score.
    package static let hidingTextScore: Projection = {
        var compiler = ProjectionCompiler(arena: ProgramArena(), environment: .none, dialect: .stage)
        compiler.hideTextScore()
        return Projection(program: ProjectionProgram(compiler, nil))
    }()

    private init(program: ProjectionProgram) {
        self.program = program
    }

    /// - Parameters:
    ///   - filter: the query's, for the positional `$`.
    ///   - environment: for computed fields; how strings compare there and in `$elemMatch`.
    package init(
        compiling projection: Document, filter: Filter? = nil, environment: ExpressionEnvironment = .none,
        dialect: Dialect = .find
    ) throws(CommandError) {
        self = try projection.withRaw { raw throws(CommandError) in
            try Projection(compiling: raw, filter: filter, environment: environment, dialect: dialect)
        }
    }

    package init(
        compiling projection: RawDocument, filter: Filter? = nil, environment: ExpressionEnvironment = .none,
        dialect: Dialect = .find
    ) throws(CommandError) {
        let arena = ProgramArena()
        var compiler = ProjectionCompiler(arena: arena, environment: environment, dialect: dialect)
        try compiler.compile(arena.copy(projection))
        // An expression looks at documents as a whole: it meets no element of an array.
        guard !compiler.hasPositional || filter?.program.evaluators == nil else {
            throw CommandError(
                .queryFeatureNotAllowed, "$expr is not allowed beside a positional projection")
        }
        program = ProjectionProgram(compiler, filter)
    }

    /// `$addFields`: a specification whose every value is an expression.
    package init(
        addingFields specification: RawDocument, environment: ExpressionEnvironment
    ) throws(CommandError) {
        let arena = ProgramArena()
        var compiler = ProjectionCompiler(arena: arena, environment: environment, dialect: .stage)
        try compiler.compileAddition(arena.copy(specification))
        program = ProjectionProgram(compiler, nil)
    }

    /// True when every document comes out as it went in.
    package var isIdentity: Bool {
        program.mode != .inclusion && program.fields.list.isEmpty && program.showsID
    }

    /// Whether ``write(_:into:facts:)`` must be told what the query knows of a document.
    package var needsFacts: Bool { !program.metadata.isEmpty }

    package var needsIndexKey: Bool { program.metadata.contains(.indexKey) }

    package var needsSortKey: Bool { program.metadata.contains(.sortKey) }

    /// Appends the fields of `row` that the projection shows, and what it computes from them.
    ///
    /// - Throws: when the positional `$` finds no element, and what an expression refuses.
    package func write(
        _ row: RawDocument, into builder: inout DocumentBuilder, facts: RowFacts? = nil
    ) throws(CommandError) {
        defer { withExtendedLifetime(program) {} }
        guard let evaluators = program.evaluators else { return try program.write(row, nil, facts, into: &builder) }
        try evaluators.with { run throws(CommandError) in
            run.begin(row)
            try program.write(row, run, facts, into: &builder)
        }
    }
}

/// The memory and the nodes of a compiled projection.
///
// Safety: immutable after init; the pointers in it point into the arena it owns.
final class ProjectionProgram: @unchecked Sendable {
    enum Mode {
        /// What is not named is left out.
        case inclusion
        case exclusion
        /// As exclusion, and what is computed takes the place of what was there.
        case addition
    }

    private let arena: ProgramArena
    let fields: ProjectionFields
    let mode: Mode
    let showsID: Bool
    /// The query's filter, when the positional `$` needs it.
    private let positionalFilter: Filter?
    /// Nil when nothing is computed.
    let evaluators: EvaluatorPool?
    /// Whether the tree says something of `_id` or of its parts.
    private let namesID: Bool
    /// What `$meta` is asked for.
    let metadata: [Metadata]

    init() {
        metadata = []
        arena = ProgramArena()
        fields = ProjectionNode().fields(in: arena)
        (mode, showsID, namesID) = (.exclusion, true, false)
        (positionalFilter, evaluators) = (nil, nil)
    }

    init(_ compiler: ProjectionCompiler, _ filter: Filter?) {
        arena = compiler.arena
        fields = compiler.root.fields(in: arena)
        metadata = compiler.metadata
        mode = compiler.mode ?? .exclusion
        showsID = compiler.showsID ?? true
        namesID = fields.index(of: RawKey("_id")) != nil
        positionalFilter = compiler.hasPositional ? filter ?? .everything : nil
        evaluators = compiler.hasComputed ? EvaluatorPool(compiler.expressions.settings) : nil
    }

    func write(
        _ row: RawDocument, _ run: Evaluator?, _ facts: RowFacts?, into builder: inout DocumentBuilder
    ) throws(CommandError) {
        let writer = ProjectionWriter(
            row: row, mode: mode, position: try position(in: row), run: run, facts: facts)
        guard mode != .addition, !namesID else { return try writer.write(row, by: fields, into: &builder) }
        try writer.write(row, by: fields, showsID: showsID, into: &builder)
    }

    private func position(in row: RawDocument) throws(CommandError) -> Int? {
        guard let positionalFilter, case .yes(let index) = try positionalFilter.match(row) else { return nil }
        return index
    }
}
