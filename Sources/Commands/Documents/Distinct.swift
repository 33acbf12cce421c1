internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/distinct/

struct DistinctArguments {
    private(set) var key = ""
    private(set) var filter = Document.empty
    private(set) var hint = Hint.none
    private(set) var collation = CollationChoice.inherited
    private(set) var uuid: [UInt8]?

    init(_ request: CommandRequest) throws(CommandError) {
        var (taken, key) = (DistinctArguments(), String?.none)
        try request.forEachArgument(of: "distinct") { argument throws(CommandError) in
            if argument.key == "key" {
                key = try argument.ifPresent(Argument.distinctPath)
            } else {
                try taken.take(argument)
            }
        }
        guard let key else { throw .missingField("distinct.key") }
        self = taken
        self.key = key
    }

    private init() {}

    private mutating func take(_ argument: Argument) throws(CommandError) {
        switch argument.key {
        case "query": filter = try argument.ifPresent(Argument.document) ?? .empty
        case "hint": hint = try argument.hint()
        case "collation": collation = try argument.collationChoice()
        case "collectionUUID": uuid = try argument.ifPresent(Argument.uuid)
        case "includeQueryStatsMetrics": _ = try argument.ifPresent(Argument.bool)
        default: throw argument.unknownField()
        }
    }

    func query(
        _ collator: Collator?, _ request: CommandRequest, _ context: CommandContext
    ) throws(CommandError) -> FindQuery {
        var query = try FindQuery(filter, hint, collator, request, context)
        query.settings = context.querySettings(of: request)
        return query
    }
}

extension CommandTable {
    @Sendable static func distinct(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try request.namespace()
        let arguments = try DistinctArguments(request)
        let compile = { (collator: Collator?) throws(CommandError) -> (FindQuery, DistinctCollector) in
            (
                try arguments.query(collator, request, context),
                DistinctCollector(path: arguments.key, order: ValueOrder(collator))
            )
        }
        let early = try compile(arguments.collation.early)
        try context.checkRejection(of: request)
        let documents = context.documents
        try await context.engine.checkUUID(arguments.uuid, of: namespace)
        let found =
            try await documents.withCollection(namespace) { collection async throws(StorageError) in
                try arguments.hint.check(in: collection)
                if collection.view != nil {
                    let view = try await ViewTarget(namespace, arguments.collation, context)
                    try arguments.hint.check(in: view)
                    return try await view.reading(context) { () async throws(StorageError) in
                        let (query, collector) = try StorageError.of { () throws(CommandError) in
                            try compile(view.collator)
                        }
                        return try await view.distinct(
                            query, into: collector, context.environment(of: request), context)
                    }
                }
                let (query, collector) = try arguments.collation.settled(early, in: collection, compile)
                return try await documents.distinct(query, into: collector, in: collection)
            } ?? early.1
        let values = found.sorted()
        return CommandReply { builder in
            builder.beginArray("values")
            for (index, value) in values.enumerated() { builder.append(index: index, value) }
            builder.end()
            if let time = context.snapshotTime { builder.append("atClusterTime", timestamp: time) }
        }
    }
}

extension Argument {
    fileprivate func distinctPath() throws(CommandError) -> String {
        let path = try string()
        guard !path.utf8.contains(0) else {
            throw CommandError(ErrorCode(31032), "The path '\(name)' must not contain a null byte")
        }
        return path
    }
}
