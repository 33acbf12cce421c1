internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/setQuerySettings/
// https://www.mongodb.com/docs/manual/reference/command/removeQuerySettings/

extension CommandTable {
    @Sendable static func setQuerySettings(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let target = try QuerySettingsTarget(request)
        var given: Document?
        try request.forEachArgument(of: "setQuerySettings") { argument throws(CommandError) in
            guard argument.key == "settings" else { throw argument.unknownField() }
            given = try argument.ifPresent(Argument.document)
        }
        guard let settings = given else { throw .missingField("setQuerySettings.settings") }
        if let query = target.query { try await query.checkForSettings(context) }
        let changed = try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.changeQuerySettings(for: target.hash) { present throws(CommandError) in
                try target.entry(settings, inPlaceOf: present)
            }
        }
        return CommandReply { builder in
            builder.append("queryShapeHash", string: target.hash.description)
            guard let changed else { return }
            builder.append("representativeQuery", document: changed.query)
            builder.append("settings", document: changed.settings.document)
        }
    }

    @Sendable static func removeQuerySettings(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let target = try QuerySettingsTarget(request)
        try request.forEachArgument(of: "removeQuerySettings") { argument throws(CommandError) in
            throw argument.unknownField()
        }
        _ = try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.changeQuerySettings(for: target.hash) { _ in nil }
        }
        return CommandReply { _ in }
    }
}

/// Which shape of queries a command is about: that of a query, or that of a hash.
private struct QuerySettingsTarget: Sendable {
    let query: RepresentativeQuery?
    let hash: QueryShapeHash

    init(_ request: CommandRequest) throws(CommandError) {
        (query, hash) = try request.body.withRaw { body throws(CommandError) in
            guard let first = body.firstElement else { throw .missingField(request.name) }
            if let query = first.value.document {
                let query = try RepresentativeQuery(query)
                return (query, query.shape.hash)
            }
            guard let hash = first.value.string else {
                throw CommandError.wrongType(request.name, first.value, expected: "string, object")
            }
            return (nil, try QueryShapeHash(hash))
        }
    }

    func entry(
        _ settings: Document, inPlaceOf present: QuerySettingsEntry?
    ) throws(CommandError) -> QuerySettingsEntry {
        let merged = try settings.withRaw { raw throws(CommandError) in
            try QuerySettings.merging(raw, into: present?.settings)
        }
        let shown = query.map { ($0.namespace, $0.document) } ?? present.map { ($0.namespace, $0.query) }
        guard let (namespace, document) = shown else {
            throw CommandError(
                ErrorCode(7_746_401), "settings for a hash need settings that are there; give a query of this shape")
        }
        return QuerySettingsEntry(hash: hash, namespace: namespace, query: document, settings: merged)
    }
}

/// A query by which a shape is named: a command with its database in `$db`.
private struct RepresentativeQuery: Sendable {
    let document: Document
    let namespace: Namespace
    let shape: QueryShape
    private let request: CommandRequest

    init(_ query: RawDocument) throws(CommandError) {
        guard let name = query.firstElement?.key.string, ["find", "distinct", "aggregate"].contains(name) else {
            throw CommandError(
                ErrorCode(7_746_402), "query settings are for find, distinct and aggregate commands")
        }
        guard let database = query["$db"], !database.isNullish else { throw .missingField("\(name).$db") }
        document = Document(copying: query)
        request = try CommandRequest(body: document, sequences: [])
        namespace = try request.namespace()
        guard let shape = QueryShape(of: document, in: request.database) else {
            throw CommandError(.internalError, "the command \(name) has no shape")
        }
        self.shape = shape
    }

    /// Refuses what no settings can be set for.
    func checkForSettings(_ context: CommandContext) async throws(CommandError) {
        guard !["admin", "local", "config"].contains(namespace.database) else {
            throw CommandError(ErrorCode(8_584_900), "queries on the database \(namespace.database) take no settings")
        }
        guard !namespace.collection.hasPrefix("system.") else {
            throw CommandError(ErrorCode(8_584_901), "queries on \(namespace) take no settings")
        }
        let environment = context.environment(of: request)
        switch request.name {
        case "find":
            let arguments = try FindArguments(request)
            _ = try arguments.query(environment.collated(by: arguments.collation.early))
            guard !(arguments.filter?.isOneID ?? false) else {
                throw CommandError(
                    ErrorCode(7_746_606), "a query for one _id is answered without a plan, and takes no settings")
            }
        case "distinct":
            let arguments = try DistinctArguments(request)
            _ = try arguments.query(arguments.collation.early, request, context)
        default:
            let arguments = try AggregateArguments(request, isExplained: true)
            let sources = try await CommandTable.sources(of: arguments, context)
            try arguments.checkSource(
                try arguments.compile(environment.collated(by: arguments.collation.early), sources))
        }
    }
}

extension Document {
    /// `{_id: value}` and nothing else.
    fileprivate var isOneID: Bool {
        withRaw { raw in
            guard let first = raw.firstElement, first.key == "_id", raw.elementCount == 1 else { return false }
            guard let operators = first.value.document, let name = operators.firstElement?.key else {
                return first.value.type != .regex
            }
            return !name.startsWithDollar || name == "$eq" && operators.elementCount == 1
        }
    }
}

// Settings of the queries that are answered.
extension CommandContext {
    /// What was set for queries of the shape of this one.
    func querySettings(of request: CommandRequest) -> QuerySettings? {
        guard
            engine.querySettings.concern(
                Namespace(database: request.database, collection: request.collectionName ?? "$cmd.aggregate")),
            let shape = QueryShape(of: request.body, in: request.database)
        else { return nil }
        return engine.querySettings[shape.hash]?.settings
    }

    /// - Throws: QueryRejectedBySettings (411).
    func checkRejection(of request: CommandRequest) throws(CommandError) {
        guard querySettings(of: request)?.rejects == true else { return }
        throw CommandError(
            ErrorCode(411, "QueryRejectedBySettings"), "queries of this shape are rejected by their query settings")
    }
}
