internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/aggregate/

/// The one pipeline that runs so far: what drivers send for `countDocuments`, that is `$match`, `$skip`, `$limit` in
/// this order, each at most once, then `{$group: {_id: 1, n: {$sum: 1}}}`. Every other one is refused by name.
private struct CountPipeline {
    var query: FindQuery
    var isComplete = false
    private var lastStage = 0

    init(_ pipeline: RawDocument) throws(CommandError) {
        query = FindQuery(filter: .everything)
        for element in pipeline {
            guard let stage = element.value.document else {
                throw CommandError(.typeMismatch, "Each element of the 'pipeline' array must be an object")
            }
            try take(stage)
        }
        guard isComplete else { throw Self.unsupported("a pipeline that does not end with a count") }
    }

    private mutating func take(_ stage: RawDocument) throws(CommandError) {
        guard stage.elementCount == 1, let field = stage.firstElement else {
            throw CommandError(
                ErrorCode(40323), "A pipeline stage specification object must contain exactly one field.")
        }
        guard field.key.startsWithDollar else {
            throw CommandError(ErrorCode(40324), "Unrecognized pipeline stage name: '\(field.key.string)'")
        }
        let rank = Self.rank(field.key)
        guard rank > lastStage, !isComplete else { throw Self.unsupported("the stage \(field.key.string)") }
        lastStage = rank
        switch field.key {
        case "$match":
            guard let filter = field.value.document else {
                throw CommandError(ErrorCode(15959), "the match filter must be an expression in an object")
            }
            query.filter = try Filter(compiling: filter)
        case "$skip": query.skip = try Self.count(field, minimum: 0, ErrorCode(5_107_200))
        case "$limit": query.limit = try Self.count(field, minimum: 1, ErrorCode(5_107_201))
        default: try takeGroup(field.value)
        }
    }

    private static func rank(_ stage: RawKey) -> Int {
        switch stage {
        case "$match": 1
        case "$skip": 2
        case "$limit": 3
        case "$group": 4
        default: 0
        }
    }

    private static func count(
        _ field: RawElement, minimum: Int64, _ code: ErrorCode
    ) throws(CommandError) -> Int {
        guard let count = field.value.number?.asInt64Exact, count >= minimum else {
            throw CommandError(
                code, "invalid argument to \(field.key.string) stage: it must be an integer >= \(minimum)")
        }
        return Int(count)
    }

    private mutating func takeGroup(_ value: RawValue) throws(CommandError) {
        guard let group = value.document, group.elementCount == 2, group["_id"]?.container == nil,
            group["_id"]?.stringBytes == nil, let sum = group["n"]?.document, sum.elementCount == 1,
            sum["$sum"]?.number?.asInt64Exact == 1
        else { throw Self.unsupported("$group other than the count of all documents") }
        isComplete = true
    }

    private static func unsupported(_ what: String) -> CommandError {
        CommandError(.notImplemented, "aggregate: \(what) is not supported yet")
    }
}

extension CommandTable {
    @Sendable static func aggregate(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        var pipeline: CountPipeline?
        var hasCursor = false
        var hint = Hint.none
        var uuid: [UInt8]?
        try request.forEachArgument(of: "aggregate") { argument throws(CommandError) in
            switch argument.key {
            case "pipeline": if !argument.isOmitted { pipeline = try CountPipeline(argument.array()) }
            case "cursor":
                // A count is one document: any size of a batch but zero holds it.
                guard let size = try argument.ifPresent(Argument.cursorBatchSize) else { return }
                hasCursor = true
                guard size != 0 else {
                    throw CommandError(.notImplemented, "aggregate: a batchSize of 0 is not supported yet")
                }
            case "explain", "fromMongos", "needsMerge": try argument.refuseIfSet("aggregate")
            case "allowDiskUse", "bypassDocumentValidation", "includeQueryStatsMetrics":
                _ = try argument.ifPresent(Argument.lenientBool)
            case "hint": hint = try argument.hint()
            case "collation": try argument.checkCollation()
            case "let": try argument.checkVariables()
            case "collectionUUID": uuid = try argument.ifPresent(Argument.uuid)
            default: throw argument.unknownField()
            }
        }
        guard var query = pipeline?.query else { throw .missingField("aggregate.pipeline") }
        guard hasCursor else {
            throw CommandError(
                .failedToParse, "The 'cursor' option is required, except for aggregate with the explain argument")
        }
        query.deadline = context.deadline(of: request)
        query.preference = request.shared.routing
        let namespace = try request.namespace()
        let (documents, counted) = (context.documents, query)
        try await context.engine.checkUUID(uuid, of: namespace)
        let usedHint = hint
        let count =
            try await documents.withCollection(namespace) { collection async throws(StorageError) -> Int64 in
                try usedHint.check()
                return try await documents.count(counted, in: collection)
            } ?? 0
        return cursorReply(.first, namespace, id: 0, snapshot: context.snapshotTime) { builder in
            guard count > 0 else { return }
            builder.beginDocument(index: 0)
            builder.append("_id", int32: 1)
            if let small = Int32(exactly: count) {
                builder.append("n", int32: small)
            } else {
                builder.append("n", int64: count)
            }
            builder.end()
        }
    }
}
