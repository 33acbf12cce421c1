internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/distinct/

extension CommandTable {
    @Sendable static func distinct(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try request.namespace()
        var key: String?
        var document = Document.empty
        var hint = Hint.none
        var collation = CollationChoice.inherited
        var uuid: [UInt8]?
        try request.forEachArgument(of: "distinct") { argument throws(CommandError) in
            switch argument.key {
            case "key": key = try argument.ifPresent(Argument.distinctPath)
            case "query": document = try argument.ifPresent(Argument.document) ?? .empty
            case "hint": hint = try argument.hint()
            case "collation": collation = try argument.collationChoice()
            case "collectionUUID": uuid = try argument.ifPresent(Argument.uuid)
            case "includeQueryStatsMetrics": _ = try argument.ifPresent(Argument.bool)
            default: throw argument.unknownField()
            }
        }
        guard let key else { throw .missingField("distinct.key") }
        let (usedHint, usedCollation) = (hint, collation)
        let compile = { [document] (collator: Collator?) throws(CommandError) -> (FindQuery, DistinctCollector) in
            var query = FindQuery(
                filter: try Filter(
                    compiling: document, environment: context.timelessEnvironment(of: request).collated(by: collator),
                    allowing: .query))
            usedHint.apply(to: &query)
            query.deadline = context.deadline(of: request)
            query.preference = request.shared.routing
            return (query, DistinctCollector(path: key, order: ValueOrder(collator)))
        }
        let early = try compile(collation.early)
        let documents = context.documents
        try await context.engine.checkUUID(uuid, of: namespace)
        let found =
            try await documents.withCollection(namespace) { collection async throws(StorageError) in
                try usedHint.check(in: collection)
                if collection.view != nil {
                    let view = try await ViewTarget(namespace, usedCollation, context)
                    try usedHint.check(in: view)
                    return try await view.reading(context) { () async throws(StorageError) in
                        let (query, collector) = try StorageError.of { () throws(CommandError) in
                            try compile(view.collator)
                        }
                        return try await view.distinct(
                            query, into: collector, context.environment(of: request), context)
                    }
                }
                let (query, collector) = try usedCollation.settled(early, in: collection, compile)
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
