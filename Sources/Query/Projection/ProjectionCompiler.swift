internal import BSON
internal import CommandModel

/// Turns a projection document, which lies in the arena already, into a tree, and finds out whether it includes or
/// excludes.
struct ProjectionCompiler {
    typealias Mode = ProjectionProgram.Mode

    let arena: ProgramArena
    private let dialect: Projection.Dialect
    private(set) var expressions: ExpressionCompiler
    private(set) var root = ProjectionNode()
    private(set) var mode: Mode?
    /// What is said of `_id` as a whole, if anything.
    private(set) var showsID: Bool?
    private(set) var hasPositional = false
    private(set) var hasElementMatch = false
    private(set) var hasComputed = false
    private(set) var metadata: [Metadata] = []

    init(arena: ProgramArena, environment: ExpressionEnvironment, dialect: Projection.Dialect) {
        self.arena = arena
        self.dialect = dialect
        expressions = ExpressionCompiler(arena: arena, environment: environment)
    }

    mutating func compile(_ projection: RawDocument) throws(CommandError) {
        if dialect == .stage, projection.isEmpty {
            throw CommandError(
                ErrorCode(51272),
                "Invalid $project :: caused by :: projection specification must have at least one field")
        }
        for element in projection { try compile(element, below: [], depth: 0) }
        // Nothing but `_id` says whether fields are included or excluded, and $elemMatch alone includes.
        if mode == nil { mode = showsID == true || hasElementMatch ? .inclusion : .exclusion }
        switch (expressions.textScore, mode) {
        case (.shown, .exclusion): hideTextScore()
        case (.carried, .inclusion): _ = root.insert(.include, at: [arena.copy(name: TextScore.fieldName)])
        default: break
        }
    }

    /// Leaves out the field with which a document carries its score.
    mutating func hideTextScore() {
        if mode == nil { mode = .exclusion }
        _ = root.insert(.exclude, at: [arena.copy(name: TextScore.fieldName)])
    }

    private mutating func compile(
        _ element: RawElement, below parents: [RawKey], depth: Int
    ) throws(CommandError) {
        if dialect == .find, let array = try positionalArray(element.key, parents) {
            return try insertPositional(at: array, element)
        }
        let components = element.key.components
        if dialect == .stage, components.count > 1, let last = components.last, last == "$" {
            throw CommandError(
                ErrorCode(31324), "Cannot use positional projection in aggregation projection stage")
        }
        try checkFieldPath(element.key)
        let path = parents + components
        let value = element.value
        if value.type.isNumber || value.type == .bool {
            try insert(value.isTruthy ? .include : .exclude, at: path)
        } else if let document = value.document {
            try compile(document, value, at: path, depth: depth)
        } else {
            try insert(.compute(try expressions.compile(value)), at: path)
        }
    }

    private mutating func compile(
        _ document: RawDocument, _ value: RawValue, at path: [RawKey], depth: Int
    ) throws(CommandError) {
        guard depth < FilterCompiler.depthMax else {
            throw CommandError(.badValue, "the projection nests deeper than \(FilterCompiler.depthMax) levels")
        }
        guard let first = document.firstKey else {
            throw CommandError(
                ErrorCode(51270),
                "An empty sub-projection is not a valid value. Found empty object at path \(path.text)")
        }
        guard first.startsWithDollar else {
            for element in document { try compile(element, below: path, depth: depth + 1) }
            return
        }
        try compileOperator(document, value, first, at: path)
    }

    private mutating func compileOperator(
        _ document: RawDocument, _ value: RawValue, _ name: RawKey, at path: [RawKey]
    ) throws(CommandError) {
        guard document.elementCount == 1, let operand = document[name] else {
            throw CommandError(
                ErrorCode(16410), "FieldPath field names may not start with '$'. Consider using $getField or $setField."
            )
        }
        switch name {
        case "$slice" where dialect == .find && Self.isQuerySlice(operand):
            let slice = try slice(operand)
            guard !root.isPositional(at: path[...]) else { throw Self.sliceArity(1) }
            return try insert(slice, at: path)
        case "$elemMatch" where dialect == .find: return try insertElementMatch(operand, at: path)
        case "$meta": return try insertMetadata(operand, at: path)
        default: break
        }
        // The query's operator of that name is none of an expression, and refused as such.
        guard OperatorRule.all[name.string] != nil || name == "$elemMatch" else {
            throw CommandError(
                ErrorCode(31325), "Invalid $project :: caused by :: Unknown expression \(name.string)")
        }
        guard mode != .exclusion else {
            throw CommandError(
                ErrorCode(31252), "Cannot use expression other than $meta in exclusion projection")
        }
        try insert(.compute(try expressions.compile(value)), at: path)
    }

    // MARK: $addFields

    mutating func compileAddition(_ specification: RawDocument) throws(CommandError) {
        mode = .addition
        for element in specification { try compileAddition(element, below: [], depth: 0) }
    }

    private mutating func compileAddition(
        _ element: RawElement, below parents: [RawKey], depth: Int
    ) throws(CommandError) {
        guard depth < FilterCompiler.depthMax else {
            throw CommandError(.badValue, "$addFields nests deeper than \(FilterCompiler.depthMax) levels")
        }
        try checkFieldPath(element.key)
        guard depth == 0 || !element.key.containsDot else {
            throw CommandError(ErrorCode(40183), "FieldPath field names may not contain '.' in a sub-object")
        }
        let path = parents + element.key.components
        if let document = element.value.document, let first = document.firstKey {
            guard !first.startsWithDollar else {
                guard document.elementCount == 1 else {
                    throw CommandError(ErrorCode(40181), "an expression must have one operator only, at \(path.text)")
                }
                return try insertAddition(element.value, at: path)
            }
            for inner in document { try compileAddition(inner, below: path, depth: depth + 1) }
            return
        }
        try insertAddition(element.value, at: path)
    }

    private mutating func insertAddition(_ value: RawValue, at path: [RawKey]) throws(CommandError) {
        hasComputed = true
        guard root.insert(.compute(try expressions.compile(value)), at: path[...]) == nil else {
            throw CommandError(
                ErrorCode(40176), "specification contains two conflicting paths. Cannot specify '\(path.text)' twice")
        }
    }

    // MARK: adding to the tree

    private mutating func insert(_ action: ProjectionAction, at path: [RawKey]) throws(CommandError) {
        if case .compute = action { hasComputed = true }
        if path.count == 1, path[0] == "_id", showsID(action) != nil {
            guard showsID == nil else { throw collision(.withChild, path) }
            showsID = showsID(action)
            return
        }
        try settleMode(action, path)
        if let collision = root.insert(action, at: path[...]) { throw self.collision(collision, path) }
    }

    private func showsID(_ action: ProjectionAction) -> Bool? {
        switch action {
        case .include: true
        case .exclude: false
        default: nil
        }
    }

    private mutating func settleMode(_ action: ProjectionAction, _ path: [RawKey]) throws(CommandError) {
        switch action {
        case .include, .positional:
            guard mode != .exclusion else {
                throw CommandError(
                    ErrorCode(31253), "Cannot do inclusion on field \(path.text) in exclusion projection")
            }
            mode = .inclusion
        case .exclude:
            guard mode != .inclusion else {
                throw CommandError(
                    ErrorCode(31254), "Cannot do exclusion on field \(path.text) in inclusion projection")
            }
            mode = .exclusion
        case .compute:
            guard mode != .exclusion else {
                throw CommandError(
                    ErrorCode(31310), "Cannot use an expression or a literal in an exclusion projection: \(path.text)")
            }
            mode = .inclusion
        case .slice, .elementMatch, .metadata, .fields: return
        }
    }

    private func collision(_ collision: ProjectionNode.Collision, _ path: [RawKey]) -> CommandError {
        switch collision {
        case .withParent(let remaining) where !remaining.isEmpty:
            CommandError(ErrorCode(31249), "Path collision at \(path.text) remaining portion \(remaining)")
        case .withParent, .withChild: CommandError(ErrorCode(31250), "Path collision at \(path.text)")
        }
    }

    // MARK: operators

    /// `$slice` of a number, or of a skip and a number; anything else is the aggregation expression of the same name.
    private static func isQuerySlice(_ operand: RawValue) -> Bool {
        if operand.type.isNumber { return true }
        guard let operands = operand.array?.map(\.value) else { return false }
        return operands.count == 2 && operands.allSatisfy(\.type.isNumber)
    }

    private func slice(_ operand: RawValue) throws(CommandError) -> ProjectionAction {
        guard let operands = operand.array?.map(\.value) else { return .slice(skip: nil, count: bound(operand)) }
        guard bound(operands[1]) > 0 else {
            throw CommandError(ErrorCode(28724), "First argument to $slice must be an array, but is of type: int")
        }
        return .slice(skip: bound(operands[0]), count: bound(operands[1]))
    }

    /// Cut off to 32 bits, which no array is longer than.
    private func bound(_ value: RawValue) -> Int {
        let number = value.number?.asDouble ?? 0
        if number.isNaN { return 0 }
        return Int(Swift.min(Swift.max(number, Double(Int32.min)), Double(Int32.max)))
    }

    private mutating func insertElementMatch(_ operand: RawValue, at path: [RawKey]) throws(CommandError) {
        guard operand.type == .document else {
            throw CommandError(
                ErrorCode(31274), "elemMatch: Invalid argument, object required, but got \(operand.type.alias)")
        }
        guard path.count == 1 else {
            throw CommandError(ErrorCode(31275), "Cannot use $elemMatch projection on a nested field.")
        }
        if operand.document?.firstKey.map({ $0 == "$jsonSchema" }) == true {
            throw CommandError(.queryFeatureNotAllowed, "$jsonSchema is not allowed in this context")
        }
        let filter = try Filter(
            compiling: Document { builder in
                builder.beginDocument("")
                builder.append("$elemMatch", operand)
                builder.end()
            }, collator: expressions.order.collator)
        hasElementMatch = true
        guard !hasPositional else { throw positionalWithElementMatch(31255) }
        try insert(.elementMatch(arena.keep(filter.program)), at: path)
    }

    private static func sliceArity(_ count: Int) -> CommandError {
        CommandError(
            ErrorCode(28667),
            "Expression $slice takes at least 2 arguments, and at most 3, but \(count) were passed in.")
    }

    private mutating func insertMetadata(_ operand: RawValue, at path: [RawKey]) throws(CommandError) {
        guard operand.type == .string, let name = operand.string else {
            throw CommandError(ErrorCode(17307), "$meta only supports string arguments")
        }
        if name == "textScore", expressions.textScore != .none {
            hasComputed = true
            if let collision = root.insert(.compute(expressions.textScoreOfDocument), at: path[...]) {
                throw self.collision(collision, path)
            }
            return
        }
        let metadata: Metadata
        switch name {
        case "recordId": metadata = .recordID
        case "sortKey": metadata = .sortKey
        case "indexKey": metadata = .indexKey
        case "randVal", "searchScore", "searchHighlights":
            guard dialect != .find else { throw .metadataMissing(name) }
            metadata = .nothing
        case "textScore", "geoNearDistance", "geoNearPoint", "searchScoreDetails", "searchSequenceToken",
            "vectorSearchScore", "score", "scoreDetails":
            throw .metadataMissing(name)
        default: throw CommandError(ErrorCode(17308), "Unsupported argument to $meta: \(operand.errorText)")
        }
        try insert(.metadata(metadata), at: path)
        self.metadata.append(metadata)
    }

    private func positionalWithElementMatch(_ code: Int32) -> CommandError {
        CommandError(ErrorCode(code), "Cannot specify positional operator and $elemMatch.")
    }

    /// The path of the array when `key` ends in the positional `$`.
    private func positionalArray(_ key: RawKey, _ parents: [RawKey]) throws(CommandError) -> [RawKey]? {
        let components = key.components
        guard components.count > 1, let place = components.firstIndex(where: { $0 == "$" }) else { return nil }
        guard place == components.count - 1 else {
            throw CommandError(
                ErrorCode(31394),
                "As of 4.4, it's illegal to specify positional operator in the middle of a path. "
                    + "Positional projection may only be used at the end, for example: a.b.$.")
        }
        return parents + components.dropLast()
    }

    private mutating func insertPositional(at path: [RawKey], _ element: RawElement) throws(CommandError) {
        guard !hasPositional else {
            throw CommandError(ErrorCode(31276), "Cannot specify more than one positional projection per query.")
        }
        guard !hasElementMatch else { throw positionalWithElementMatch(31256) }
        guard element.value.type.isNumber || element.value.type == .bool else {
            throw CommandError(
                ErrorCode(element.value.type == .document ? 31271 : 31308),
                "positional projection cannot be used with an expression or literal")
        }
        guard element.value.isTruthy else {
            throw CommandError(
                ErrorCode(31395), "positional projection cannot be used with exclusion")
        }
        hasPositional = true
        try insert(.positional, at: path)
    }
}

extension [RawKey] {
    var text: String { map(\.string).joined(separator: ".") }
}
