internal import BSON
internal import CommandModel
internal import NIOCore
internal import Query
internal import Storage
internal import Synchronization

// https://www.mongodb.com/docs/manual/reference/command/find/

struct FindArguments {
    static let defaultBatchSize = 101

    var namespace: Namespace
    var filter: Document?
    var projection: Document?
    var sort: Document?
    var hint = Hint.none
    var variables: Document?
    var collation = CollationChoice.inherited
    var uuid: [UInt8]?
    private(set) var isTailable = false
    private(set) var awaitsData = false
    var skip = 0
    /// nil means all.
    var limit: Int?
    var batchSize = FindArguments.defaultBatchSize
    var isSingleBatch = false
    var noCursorTimeout = false
    var allowsDiskUse = true
    private var min: Document?
    private var max: Document?
    private var returnsKey = false
    private var showsRecordID = false

    init(_ request: CommandRequest) throws(CommandError) {
        namespace = try request.namespace()
        var taken = self
        try request.forEachArgument(of: "find") { argument throws(CommandError) in try taken.take(argument) }
        try taken.checkConsistency()
        self = taken
    }

    private mutating func take(_ argument: Argument) throws(CommandError) {
        switch argument.key {
        // Unlike elsewhere a null is no way to leave it out.
        case "filter": filter = try argument.document()
        case "projection": projection = try argument.ifPresent(Argument.document)
        case "sort": sort = try argument.ifPresent(Argument.document)
        case "skip": skip = Int(clamping: try argument.ifPresent(Argument.nonNegativeInteger) ?? 0)
        case "limit":
            let count = Int(clamping: try argument.ifPresent(Argument.nonNegativeInteger) ?? 0)
            limit = count == 0 ? nil : count
        case "batchSize":
            batchSize = try argument.ifPresent(Argument.nonNegativeInteger).map { Int(clamping: $0) } ?? batchSize
        case "singleBatch": isSingleBatch = try argument.ifPresent(Argument.lenientBool) ?? false
        case "noCursorTimeout": noCursorTimeout = try argument.ifPresent(Argument.lenientBool) ?? false
        case "allowDiskUse": allowsDiskUse = try argument.ifPresent(Argument.lenientBool) ?? true
        case "returnKey": returnsKey = try argument.ifPresent(Argument.lenientBool) ?? false
        case "showRecordId": showsRecordID = try argument.ifPresent(Argument.lenientBool) ?? false
        case "min": min = try argument.ifPresent(Argument.document)
        case "max": max = try argument.ifPresent(Argument.document)
        case "tailable": isTailable = try argument.ifPresent(Argument.lenientBool) ?? false
        case "awaitData": awaitsData = try argument.ifPresent(Argument.lenientBool) ?? false
        case "hint": hint = try argument.hint()
        case "collation": collation = try argument.collationChoice()
        case "let": variables = try argument.ifPresent(Argument.document)
        case "collectionUUID": uuid = try argument.ifPresent(Argument.uuid)
        default: try Self.check(argument)
        }
    }

    /// What changes nothing here, and what cannot be done.
    private static func check(_ argument: Argument) throws(CommandError) {
        switch argument.key {
        // There are no shards to be partial; the rest is deprecated or a matter of caches and statistics.
        case "allowPartialResults", "oplogReplay", "readOnce", "includeQueryStatsMetrics":
            _ = try argument.ifPresent(Argument.lenientBool)
        case "requestResumeToken", "isTimeseriesNamespace":
            try argument.refuseIfSet("find")
        case "resumeAfter", "startAt", "querySettings": try argument.refuseUnlessEmpty("find")
        case "term": try argument.ignoreInternalLong()
        default: throw argument.unknownField()
        }
    }

    private func checkConsistency() throws(CommandError) {
        guard !awaitsData || isTailable else {
            throw CommandError(.failedToParse, "Cannot set 'awaitData' without also setting 'tailable'")
        }
        guard isTailable else { return }
        guard !isSingleBatch else {
            throw CommandError(.badValue, "Cannot use tailable option with the 'singleBatch' option")
        }
        let isSorted = sort.map { sort in !sort.isEmpty && !sort.withRaw { $0.isForwardNatural } } ?? false
        guard !isSorted else {
            throw CommandError(
                .badValue, "error processing query: cannot use tailable option with a sort other than {$natural: 1}")
        }
    }

    /// - Throws: BadValue (2), and InvalidPipelineOperator (168) where a query becomes a pipeline.
    func checkTailable(_ collection: Collection) throws(StorageError) {
        guard isTailable, !collection.isCapped else { return }
        guard collection.view == nil, collection.timeseries == nil else {
            throw .command(
                CommandError(
                    ErrorCode(168, "InvalidPipelineOperator"),
                    "Option tailable is not supported for \(collection.namespace), which is read through a pipeline"))
        }
        throw .command(
            CommandError(.badValue, "error processing query: tailable cursor requested on non capped collection"))
    }

    /// - Parameter dialect: that of a stage where the query becomes one of a pipeline.
    func query(
        _ environment: ExpressionEnvironment, _ dialect: Projection.Dialect = .find
    ) throws(CommandError) -> FindQuery {
        var environment = try environment.defining(variables)
        let collator = environment.collator
        var query = FindQuery(filter: .everything)
        query.patience = environment.patience
        if let filter {
            query.filter = try Filter(compiling: filter, environment: environment, allowing: .query)
        }
        let hasTextScore = query.filter.searchesText
        if hasTextScore {
            environment.textScore = .shown
            query.carriesTextScore = projection?.withRaw(\.asksForTextScore) ?? false
        }
        if let projection, !projection.isEmpty {
            query.projectionSpecification = projection
            query.projection = try Projection(
                compiling: projection, filter: query.filter, environment: environment, dialect: dialect)
        }
        if let sort, !sort.isEmpty {
            query.sort = try SortPattern(compiling: sort, collator: collator, hasTextScore: hasTextScore)
        }
        guard query.projection?.needsSortKey != true || query.sort != nil else { throw .sortKeyMissing }
        if query.projection?.needsSortKey == true, query.sort?.usesTextScore == true { query.carriesTextScore = true }
        try apply(hint, to: &query, collator)
        query.bounds = try bounds(ValueOrder(collator))
        if case .index = hint, min?.isEmpty == false || max?.isEmpty == false { query.keyRange = (min, max) }
        query.skip = skip
        query.limit = limit
        query.showsRecordID = showsRecordID
        query.returnsKey = returnsKey
        query.isTailable = isTailable
        return query
    }

    /// The query with what the command says about where it runs, and what it may take.
    func query(
        _ environment: ExpressionEnvironment, _ dialect: Projection.Dialect = .find, _ request: CommandRequest,
        _ context: CommandContext
    ) throws(CommandError) -> FindQuery {
        var query = try query(environment, dialect)
        query.settings = context.querySettings(of: request)
        query.preference = request.shared.routing
        query.spill = allowsDiskUse ? context.engine.spill : nil
        query.sortBytesMax = context.engine.sortBytesMax.load(ordering: .relaxed)
        return query
    }

    /// `min` and `max`, which are bounds in the hinted index.
    private func bounds(_ order: ValueOrder) throws(CommandError) -> IDBounds? {
        let given = [min, max].map { $0?.isEmpty == false ? $0 : nil }
        guard given.contains(where: { $0 != nil }) else { return nil }
        switch hint {
        case .id: break
        case .index: return nil
        case .none, .natural:
            throw CommandError(
                ErrorCode(51173), "When using min()/max() a hint of which index to use must be provided")
        }
        let bounds = IDBounds(
            lower: try given[0].map(Self.idBound), upper: try given[1].map(Self.idBound), order: order)
        guard bounds.isAscending else {
            throw CommandError(
                ErrorCode(51175), "The value provided for min() does not come before the value provided for max()")
        }
        return bounds
    }

    private static func idBound(_ document: Document) throws(CommandError) -> Value {
        try document.withRaw { raw throws(CommandError) in
            guard raw.elementCount == 1, let field = raw.firstElement, field.key == "_id" else {
                throw CommandError(ErrorCode(51174), "The index chosen is not compatible with min/max")
            }
            return Value(copying: field.value)
        }
    }

    /// A hint decides in which order documents come that no sort puts in order.
    private func apply(_ hint: Hint, to query: inout FindQuery, _ collator: Collator?) throws(CommandError) {
        hint.apply(to: &query)
        switch hint {
        case .id where query.sort == nil && query.filter.near == nil && !isTailable:
            query.sort = try SortPattern(compiling: Document { $0.append("_id", int32: 1) }, collator: collator)
        case .id, .none, .natural, .index: break
        }
    }
}

extension CommandTable {
    @Sendable static func find(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let arguments = try FindArguments(request)
        let environment = context.environment(of: request)
        let compileAs = { (collator: Collator?, dialect: Projection.Dialect) throws(CommandError) -> FindQuery in
            try arguments.query(environment.collated(by: collator), dialect, request, context)
        }
        let compile = { (collator: Collator?) throws(CommandError) in try compileAs(collator, .find) }
        let compiled = try compile(arguments.collation.early)
        try context.checkRejection(of: request)
        try await context.engine.checkUUID(arguments.uuid, of: arguments.namespace)
        guard !arguments.isTailable || context.documents.transaction == nil else {
            throw CommandError(.invalidOptions, "It is illegal to open a tailable cursor in a transaction")
        }
        context.server.counters.countQuery()
        // Before a view is refused as such.
        if arguments.isTailable, let collection = try await context.documents.collection(arguments.namespace) {
            try await context.engine.mapped { () async throws(StorageError) in
                try arguments.checkTailable(collection)
            }
        }
        let found = try await context.documents.withCollection(arguments.namespace) {
            collection async throws(StorageError) -> CommandReply in
            try arguments.hint.check(in: collection)
            try arguments.checkTailable(collection)
            if collection.view != nil {
                return try await findInView(arguments, environment, request, context) {
                    collator throws(CommandError) in try compileAs(collator, .stage)
                }
            }
            let query = try arguments.collation.settled(compiled, in: collection, compile)
            if let key = query.singleKey(in: collection) {
                return try await findOne(key, query, in: collection, arguments, context)
            }
            return try await firstBatch(of: query, in: collection, arguments, request, context)
        }
        return found ?? cursorReply(.first, arguments.namespace, id: 0, snapshot: context.snapshotTime) { _ in }
    }

    private static func findInView(
        _ arguments: FindArguments, _ environment: ExpressionEnvironment, _ request: CommandRequest,
        _ context: CommandContext, _ compile: (Collator?) throws(CommandError) -> FindQuery
    ) async throws(StorageError) -> CommandReply {
        let view = try await ViewTarget(arguments.namespace, arguments.collation, context)
        try arguments.hint.check(in: view)
        return try await view.reading(context) { () async throws(StorageError) in
            let query = try StorageError.of { () throws(CommandError) in try compile(view.collator) }
            let stages = try StorageError.of { () throws(CommandError) in try query.stages() }
            let source = try view.source(stages, like: query, environment, context)
            return try await firstBatch(of: try await view.run(source, context), arguments, request, context)
        }
    }

    /// The filter names one `_id`: the read shares a statement with others that are on their way.
    private static func findOne(
        _ key: SingleKey, _ query: FindQuery, in collection: Collection, _ arguments: FindArguments,
        _ context: CommandContext
    ) async throws(StorageError) -> CommandReply {
        let bytes = try await context.documents.read(key.key, from: collection)
        var reply = CommandReply()
        beginCursorReply(&reply.builder, .first)
        if let bytes {
            try Document(unchecked: bytes).withRaw { document throws(StorageError) in
                do throws(CommandError) {
                    if !key.isExact { guard try query.filter.matches(document) else { return } }
                    try reply.builder.append(index: 0, document, through: query.projection)
                } catch { throw .command(error) }
            }
        }
        return closeCursorReply(reply.builder, arguments.namespace, id: 0, snapshot: context.snapshotTime)
    }

    private static func firstBatch(
        of query: FindQuery, in collection: Collection, _ arguments: FindArguments, _ request: CommandRequest,
        _ context: CommandContext
    ) async throws(StorageError) -> CommandReply {
        try await firstBatch(of: QueryRun(query, on: collection), arguments, request, context, showing: query)
    }

    /// - Parameter query: what is shown of the documents; nil for all.
    private static func firstBatch(
        of run: QueryRun, _ arguments: FindArguments, _ request: CommandRequest, _ context: CommandContext,
        showing query: FindQuery? = nil
    ) async throws(StorageError) -> CommandReply {
        var reply = CommandReply()
        beginCursorReply(&reply.builder, .first)
        let (batch, run) = try await context.documents.fill(
            ReplyBatch(
                into: reply.builder, documentsMax: arguments.batchSize,
                showing: query ?? FindQuery(filter: .everything)),
            from: run, deadline: context.deadline(of: request))
        var id: Int64 = 0
        if !run.isExhausted, !arguments.isSingleBatch {
            id = try open(run, arguments, request, context)
        }
        return closeCursorReply(batch.builder, arguments.namespace, id: id, snapshot: context.snapshotTime)
    }

    private static func open(
        _ run: QueryRun, _ arguments: FindArguments, _ request: CommandRequest, _ context: CommandContext
    ) throws(StorageError) -> Int64 {
        let cursor = Cursor(
            namespace: arguments.namespace, run: run, sessionID: request.shared.sessionID,
            transactionNumber: request.shared.isInTransaction ? request.shared.transactionNumber : nil,
            snapshot: context.snapshotTime == nil ? nil : context.documents.transaction,
            command: "find", isImmortal: arguments.noCursorTimeout,
            maxTimeMilliseconds: arguments.awaitsData ? 0 : request.shared.maxTimeMilliseconds,
            awaitsData: arguments.awaitsData, owner: request.owner)
        do throws(CommandError) { return try context.engine.cursors.open(cursor) } catch { throw .command(error) }
    }
}

extension CommandError {
    fileprivate static let sortKeyMissing = CommandError(
        ErrorCode(40218), "query requires sort key metadata, but it is not available")
}

extension FindQuery {
    /// The key when the filter allows one `_id` only, and nothing else is asked that a point read cannot give.
    func singleKey(in collection: Collection) -> SingleKey? {
        guard !isTailable, hint == nil, skip == 0, bounds == nil, !showsRecordID, !returnsKey, !filter.searchesText,
            projection?.needsFacts != true
        else { return nil }
        let constraint = KeyConstraint(of: filter, in: collection)
        return constraint.onlyKey.map { SingleKey(key: $0, isExact: constraint.isExact) }
    }
}

struct SingleKey {
    let key: ByteBuffer
    /// The filter asks for nothing but the key.
    let isExact: Bool
}

extension RawDocument {
    fileprivate var isForwardNatural: Bool { elementCount == 1 && self["$natural"]?.number?.asInt64Exact == 1 }
}
