internal import BSON
internal import CommandModel

/// Turns a filter document, which lies in the arena already, into tests.
///
/// The operators are spread over extensions, one file per family.
struct FilterCompiler {
    /// As deep as conditions may nest; deeper ones are refused, which bounds every recursion over the program.
    static let depthMax = 100
    /// As many components as a dotted path may have: more than a document may have levels.
    static let pathComponentsMax = 200

    let arena: ProgramArena
    /// How strings compare; nil for bytewise. Whoever runs the program keeps it.
    let collator: Collator?
    let features: FilterFeatures
    /// The one `$near` of the filter.
    var near: NearCondition?
    /// The one `$text` of the filter.
    var text: TextCondition?
    let textIndex: TextBinding?
    /// What every match fulfils, gathered at the top level and inside `$and` there.
    private(set) var conditions: [PathCondition] = []
    /// Whether the tests compiled now are part of the outermost conjunction.
    private(set) var isTopConjunction = true
    /// Whether the tests compiled now are of elements of an array.
    private var isInElementMatch = false
    /// Whether they are those of a `$nor`.
    var isInNor = false

    private let environment: ExpressionEnvironment?
    /// There once an `$expr` was met.
    private(set) var expressions: ExpressionCompiler?

    init(
        arena: ProgramArena, environment: ExpressionEnvironment?, collator: Collator?, features: FilterFeatures = [],
        textIndex: TextBinding? = nil
    ) {
        self.arena = arena
        self.environment = environment
        self.collator = collator
        self.features = features
        self.textIndex = textIndex
    }

    /// Compiles a whole filter (or one branch of a logical operator).
    mutating func compile(_ filter: RawDocument, depth: Int = 0) throws(CommandError) -> DocumentTest {
        var conjunction = Conjunction()
        try compile(filter, into: &conjunction, depth: depth)
        return conjunction.finish(arena)
    }

    mutating func compile(
        _ filter: RawDocument, into conjunction: inout Conjunction, depth: Int
    ) throws(CommandError) {
        guard depth <= Self.depthMax else {
            throw CommandError(.badValue, "the filter nests conditions deeper than \(Self.depthMax) levels")
        }
        for element in filter {
            if element.key.startsWithDollar {
                try compileTopLevel(element, into: &conjunction, depth: depth)
            } else {
                try compileField(element, into: &conjunction, depth: depth)
            }
        }
    }

    private mutating func compileTopLevel(
        _ element: RawElement, into conjunction: inout Conjunction, depth: Int
    ) throws(CommandError) {
        switch element.key {
        case "$and": try compileAnd(element.value, into: &conjunction, depth: depth)
        case "$or": conjunction.add(try compileOr(element.value, depth: depth))
        case "$nor": conjunction.add(.none(try compileNor(element.value, depth: depth)))
        case "$comment": return
        case "$alwaysTrue": try requireOne(element)
        case "$alwaysFalse":
            try requireOne(element)
            conjunction.add(.constant(false))
        case "$expr": conjunction.add(try compileExpression(element.value))
        case "$jsonSchema":
            conjunction.add(.schema(try SchemaCompiler(arena: arena).compileRoot(element.value, depth: depth)))
        case "$sampleRate":
            try refuseInElementMatch(element.key)
            conjunction.add(.sample(try sampleRate(element.value)))
        case "$where":
            try refuseInElementMatch(element.key)
            throw Self.noJavaScript(element.value)
        case "$text":
            try refuseInElementMatch(element.key)
            conjunction.add(.text(try textCondition(element.value)))
        default: throw unknownTopLevel(element.key)
        }
        markUnderstood(element.key)
    }

    private mutating func compileExpression(_ value: RawValue) throws(CommandError) -> DocumentTest {
        guard !isInElementMatch else {
            throw CommandError(.badValue, "$expr can only be applied to the top-level document")
        }
        guard let environment else {
            throw CommandError(.queryFeatureNotAllowed, "$expr is not allowed in this context")
        }
        var compiler = expressions ?? ExpressionCompiler(arena: arena, environment: environment)
        let expression = try compiler.compile(value)
        expressions = compiler
        if case .constant(let value) = expression { return .constant(value.isTruthy) }
        return .expression(expression)
    }

    /// A top-level operator other than `$and` and `$comment` is a condition that the constraint on `_id` leaves out.
    private mutating func markUnderstood(_ key: RawKey) {
        guard isTopConjunction, !(key == "$and") else { return }
        conditions.append(PathCondition(path: key, kind: .other))
    }

    private func refuseInElementMatch(_ key: RawKey) throws(CommandError) {
        guard isInElementMatch else { return }
        throw CommandError(.badValue, "\(key.string) can only be applied to the top-level document")
    }

    private func sampleRate(_ value: RawValue) throws(CommandError) -> Double {
        guard value.type.isNumber, let rate = value.number?.asDouble else {
            throw CommandError(.badValue, "argument to $sampleRate must be a numeric type")
        }
        guard rate >= 0, rate <= 1 else {
            throw CommandError(.badValue, "numeric argument to $sampleRate must be in [0, 1]")
        }
        return rate
    }

    /// As MongoDB answers when scripting is switched off.
    private static func noJavaScript(_ value: RawValue) -> CommandError {
        switch value.type {
        case .string, .javascript, .javascriptWithScope:
            CommandError(.badValue, "no globalScriptEngine in $where parsing: this server runs no JavaScript")
        default: CommandError(.badValue, "$where got bad type")
        }
    }

    private func unknownTopLevel(_ key: RawKey) -> CommandError {
        CommandError(
            .badValue,
            "unknown top level operator: \(key.string). If you have a field name that starts with a '$' symbol, "
                + "consider using $getField or $setField.")
    }

    private func requireOne(_ element: RawElement) throws(CommandError) {
        guard element.value.number?.asInt64Exact == 1 else {
            throw CommandError(.failedToParse, "\(element.key.string) must be an integer value of 1")
        }
    }

    /// Notes what the outermost conjunction demands.
    mutating func note(_ path: RawKey, _ kind: PathCondition.Kind) {
        if isTopConjunction { conditions.append(PathCondition(path: path, kind: kind)) }
    }

    /// Compiles a condition on elements of an array.
    mutating func ofElements<R>(
        _ body: (inout FilterCompiler) throws(CommandError) -> R
    ) throws(CommandError) -> R {
        let outer = isInElementMatch
        isInElementMatch = true
        defer { isInElementMatch = outer }
        return try nested(body)
    }

    /// Compiles what is no longer part of the outermost conjunction.
    mutating func nested<R>(
        _ body: (inout FilterCompiler) throws(CommandError) -> R
    ) throws(CommandError) -> R {
        let outer = isTopConjunction
        isTopConjunction = false
        defer { isTopConjunction = outer }
        return try body(&self)
    }
}

/// The tests of one conjunction while it is compiled: those on fields are grouped by name.
struct Conjunction {
    private var groups: [(key: RawKey, tests: [PathTest])] = []
    private var others: [DocumentTest] = []

    mutating func add(_ key: RawKey, _ test: PathTest) {
        // Filters are short; a long one made by a program falls back to one group per test.
        let window = groups.suffix(64).indices
        if let index = window.first(where: { groups[$0].key == key }) {
            groups[index].tests.append(test)
        } else {
            groups.append((key, [test]))
        }
    }

    mutating func add(_ test: DocumentTest) {
        switch test {
        case .constant(true): return
        default: others.append(test)
        }
    }

    private static func ranked(_ tests: [PathTest]) -> [PathTest] {
        // The standard sort is stable.
        tests.sorted { $0.test.rank < $1.test.rank }
    }

    func finish(_ arena: ProgramArena) -> DocumentTest {
        // Field tests are the cheapest, so they come first.
        var children = stride(from: 0, to: groups.count, by: 64).map { start in
            let part = groups[start..<Swift.min(start + 64, groups.count)]
            return DocumentTest.fields(
                arena.list(part.map { FieldGroup(key: $0.key, tests: arena.list(Self.ranked($0.tests))) }))
        }
        children += others
        switch children.count {
        case 0: return .constant(true)
        case 1: return children[0]
        default: return .all(arena.list(children))
        }
    }
}
