internal import BSON
internal import CommandModel
internal import NIOCore
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/find/

struct FindArguments {
    static let defaultBatchSize = 101

    var namespace: Namespace
    var filter: Document?
    var projection: Document?
    var sort: Document?
    var naturalHint: Bool?
    var skip = 0
    /// nil means all.
    var limit: Int?
    var batchSize = FindArguments.defaultBatchSize
    var isSingleBatch = false
    var noCursorTimeout = false

    init(_ request: CommandRequest) throws(CommandError) {
        namespace = try request.namespace()
        var taken = self
        try request.forEachArgument(of: "find") { argument throws(CommandError) in try taken.take(argument) }
        self = taken
    }

    private mutating func take(_ argument: Argument) throws(CommandError) {
        switch argument.key {
        case "filter": filter = try argument.document()
        case "projection": projection = try argument.document()
        case "sort": sort = try argument.document()
        case "skip": skip = Int(clamping: try argument.nonNegativeInteger())
        case "limit": takeLimit(try argument.integerOrNull() ?? 0)
        case "batchSize": batchSize = Int(clamping: try argument.nonNegativeInteger())
        case "singleBatch":
            // A negative limit may have said so before.
            if try argument.lenientBool() { isSingleBatch = true }
        case "noCursorTimeout": noCursorTimeout = try argument.lenientBool()
        case "hint": try takeHint(argument)
        case "collation": try argument.checkCollation()
        case "let": _ = try argument.document()
        case "allowDiskUse", "allowPartialResults", "awaitData", "oplogReplay":
            _ = try argument.lenientBool()
        case "tailable":
            guard try argument.lenientBool() else { return }
            throw CommandError(.badValue, "error processing query: tailable cursor requested on non capped collection")
        case "returnKey", "showRecordId":
            guard try argument.lenientBool() else { return }
            throw CommandError(.notImplemented, "\(argument.key.string) is not supported yet")
        case "min", "max":
            guard try !argument.document().isEmpty else { return }
            throw CommandError(.notImplemented, "\(argument.key.string) is not supported yet")
        case "readOnce", "requestResumeToken", "resumeAfter", "startAt", "isTimeseriesNamespace", "collectionUUID",
            "includeQueryStatsMetrics", "term", "querySettings":
            break
        default: throw argument.unknownField()
        }
    }

    /// A negative limit is an old way to say "one batch only".
    private mutating func takeLimit(_ value: Int64) {
        if value < 0 { isSingleBatch = true }
        let count = Int(clamping: value.magnitude)
        limit = count == 0 ? nil : count
    }

    private mutating func takeHint(_ argument: Argument) throws(CommandError) {
        try argument.checkHint()
        guard let direction = argument.value.document?["$natural"]?.number else { return }
        naturalHint = direction.asDouble < 0
    }

    func query(_ request: CommandRequest) throws(CommandError) -> FindQuery {
        var query = FindQuery(
            filter: try filter.map { document throws(CommandError) in try Filter(compiling: document) } ?? .everything)
        if let projection, !projection.isEmpty {
            query.projection = try Projection(compiling: projection, filter: query.filter)
        }
        if let sort, !sort.isEmpty { query.sort = try SortPattern(compiling: sort) }
        query.skip = skip
        query.limit = limit
        query.naturalDescending = naturalHint ?? false
        query.deadline = Deadline(maxTimeMilliseconds: request.shared.maxTimeMilliseconds)
        return query
    }
}

extension CommandTable {
    @Sendable static func find(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let arguments = try FindArguments(request)
        let query = try arguments.query(request)
        context.server.counters.countQuery()
        let found = try await context.engine.withCollection(arguments.namespace) {
            collection async throws(StorageError) -> CommandReply in
            if let key = query.singleKey {
                return try await findOne(key, query, in: collection, arguments, context)
            }
            return try await firstBatch(of: query, in: collection, arguments, request, context)
        }
        return found ?? cursorReply(.first, arguments.namespace, id: 0) { _ in }
    }

    /// The filter names one `_id`: the read shares a statement with others that are on their way.
    private static func findOne(
        _ key: ByteBuffer, _ query: FindQuery, in collection: Collection, _ arguments: FindArguments,
        _ context: CommandContext
    ) async throws(StorageError) -> CommandReply {
        let bytes = try await context.engine.read(key, from: collection)
        var reply = CommandReply()
        beginCursorReply(&reply.builder, .first)
        if let bytes {
            try Document(unchecked: bytes).withRaw { document throws(StorageError) in
                guard query.filter.identity.isExact || query.filter.matches(document) else { return }
                do throws(CommandError) {
                    try reply.builder.append(index: 0, document, through: query.projection)
                } catch { throw .command(error) }
            }
        }
        return closeCursorReply(reply.builder, arguments.namespace, id: 0)
    }

    private static func firstBatch(
        of query: FindQuery, in collection: Collection, _ arguments: FindArguments, _ request: CommandRequest,
        _ context: CommandContext
    ) async throws(StorageError) -> CommandReply {
        var reply = CommandReply()
        beginCursorReply(&reply.builder, .first)
        let (batch, run) = try await context.engine.fill(
            ReplyBatch(into: reply.builder, documentsMax: arguments.batchSize, projection: query.projection),
            from: QueryRun(query, on: collection), deadline: query.deadline)
        var id: Int64 = 0
        if !run.isExhausted, !arguments.isSingleBatch {
            id = try open(run, arguments, request, context)
        }
        return closeCursorReply(batch.builder, arguments.namespace, id: id)
    }

    private static func open(
        _ run: QueryRun, _ arguments: FindArguments, _ request: CommandRequest, _ context: CommandContext
    ) throws(StorageError) -> Int64 {
        let cursor = Cursor(
            namespace: arguments.namespace, run: run, sessionID: request.shared.sessionID, command: "find",
            isImmortal: arguments.noCursorTimeout, maxTimeMilliseconds: request.shared.maxTimeMilliseconds)
        do throws(CommandError) { return try context.engine.cursors.open(cursor) } catch { throw .command(error) }
    }
}

extension FindQuery {
    /// The key when the filter allows one `_id` only, and nothing else is asked that a point read cannot give.
    var singleKey: ByteBuffer? {
        guard case .points(let values) = filter.identity.shape, values.count == 1, skip == 0 else { return nil }
        return DocumentKey.encode(values[0])
    }
}

extension Argument {
    func integerOrNull() throws(CommandError) -> Int64? {
        value.type == .null ? nil : try integer()
    }
}
