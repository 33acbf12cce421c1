internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/count/

extension CommandTable {
    @Sendable static func count(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try request.namespace()
        let arguments = try CountArguments(request)
        let early = try arguments.query(arguments.collation.early, request, context)
        try await context.engine.checkUUID(arguments.uuid, of: namespace)
        let documents = context.documents
        let count =
            try await documents.withCollection(namespace) { collection async throws(StorageError) -> Int64 in
                try arguments.hint.check(in: collection)
                if collection.view != nil { return try await countInView(namespace, arguments, request, context) }
                let query = try arguments.collation.settled(early, in: collection) { collator throws(CommandError) in
                    try arguments.query(collator, request, context)
                }
                return try await documents.count(query, in: collection)
            } ?? 0
        return CommandReply { builder in
            if let small = Int32(exactly: count) {
                builder.append("n", int32: small)
            } else {
                builder.append("n", int64: count)
            }
        }
    }

    private static func countInView(
        _ namespace: Namespace, _ arguments: CountArguments, _ request: CommandRequest, _ context: CommandContext
    ) async throws(StorageError) -> Int64 {
        let view = try await ViewTarget(namespace, arguments.collation, context)
        try arguments.hint.check(in: view)
        return try await view.reading(context) { () async throws(StorageError) in
            let query = try StorageError.of { () throws(CommandError) in
                try arguments.query(view.collator, request, context)
            }
            return try await view.count(query, context.environment(of: request), context)
        }
    }
}

struct CountArguments {
    private var filter = Document.empty
    private var skip = 0
    private var limit: Int64 = 0
    private(set) var hint = Hint.none
    private(set) var collation = CollationChoice.inherited
    private(set) var uuid: [UInt8]?

    init(_ request: CommandRequest) throws(CommandError) {
        var taken = CountArguments()
        try request.forEachArgument(of: "count") { argument throws(CommandError) in try taken.take(argument) }
        self = taken
    }

    private init() {}

    private mutating func take(_ argument: Argument) throws(CommandError) {
        switch argument.key {
        case "query": filter = try argument.ifPresent(Argument.document) ?? .empty
        case "limit": limit = try argument.countLimit()
        case "skip": skip = Int(clamping: try argument.ifPresent(Argument.nonNegativeInteger) ?? 0)
        case "hint": hint = try argument.hint()
        case "collation": collation = try argument.collationChoice()
        case "collectionUUID": uuid = try argument.ifPresent(Argument.uuid)
        // Which fields to return means nothing to a number; old clients send it, and whatever they send is good.
        case "fields": break
        case "includeQueryStatsMetrics": _ = try argument.ifPresent(Argument.bool)
        default: throw argument.unknownField()
        }
    }

    func query(
        _ collator: Collator?, _ request: CommandRequest, _ context: CommandContext
    ) throws(CommandError) -> FindQuery {
        var query = try FindQuery(filter, hint, collator, request, context)
        query.skip = skip
        query.limit = limit == 0 ? nil : Int(clamping: limit.magnitude)
        return query
    }
}

extension FindQuery {
    /// That of a command which asks about documents and returns none: `count`, `distinct`.
    init(
        _ filter: Document, _ hint: Hint, _ collator: Collator?, _ request: CommandRequest, _ context: CommandContext
    ) throws(CommandError) {
        self.init(
            filter: try Filter(
                compiling: filter, environment: context.timelessEnvironment(of: request).collated(by: collator),
                allowing: .query))
        hint.apply(to: &self)
        deadline = context.deadline(of: request)
        preference = request.shared.routing
    }
}

extension Argument {
    /// A negative limit counts like its magnitude. Unlike elsewhere a number is not rounded, and a null is no way to
    /// leave it out.
    fileprivate func countLimit() throws(CommandError) -> Int64 {
        guard let number = value.number else {
            throw CommandError(.badValue, "'limit' value is not a valid number")
        }
        guard let limit = number.asInt64Exact else {
            throw CommandError(.failedToParse, "'limit' value is not a whole number of 64 bits")
        }
        guard limit > .min else { throw CommandError(.badValue, "'limit' value is out of range") }
        return limit
    }
}
