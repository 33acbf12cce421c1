internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/nav-plan-cache/
//
// There is no cache of plans. MongoDB has one because it finds the best plan by running the candidates against each
// other, which costs as much as a query. Here a plan is arithmetic: for each index the bytes of the bounds, and a guess
// at what lies between. That is microseconds beside a round trip to PostgreSQL, the key of a cache (a text of the
// query's shape) would cost about as much, and the bounds are those of the query's own values, so that they would be
// made anyway. The plans that can be used again are those of the SQL, and PostgreSQL's prepared statements keep them.
// So there is nothing for `planCacheClear` to forget and for `$planCacheStats` to show.

extension CommandTable {
    @Sendable static func planCacheClear(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        if let collection = try await planned(request, context) { _ = try PlanCacheQuery(request, on: collection) }
        return CommandReply { _ in }
    }

    @Sendable static func planCacheListFilters(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let filters = try await planned(request, context).map(context.engine.catalog.indexFilters(of:)) ?? []
        return CommandReply { builder in
            builder.beginArray("filters")
            for (index, filter) in filters.enumerated() { builder.append(index: index, .document(filter.shown)) }
            builder.end()
        }
    }

    @Sendable static func planCacheClearFilters(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        if let collection = try await planned(request, context) {
            let query = try PlanCacheQuery(request, on: collection)
            context.engine.catalog.clearIndexFilters(of: collection, query?.shape)
        }
        return CommandReply { _ in }
    }

    @Sendable static func planCacheSetFilter(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        guard let collection = try await planned(request, context) else {
            throw CommandError(.badValue, "no such collection: \(try request.namespace())")
        }
        guard let query = try PlanCacheQuery(request, on: collection, takesNull: false) else {
            throw CommandError(.badValue, "required field query missing")
        }
        let indexes = try request.body.withRaw { body throws(CommandError) in
            guard let list = body["indexes"]?.array else {
                throw CommandError(.badValue, "required field indexes missing, or not an array")
            }
            return try Self.allowedIndexes(list)
        }
        try context.engine.catalog.set(query.filter(allowing: indexes), of: collection)
        return CommandReply { _ in }
    }

    private static func allowedIndexes(_ list: RawDocument) throws(CommandError) -> AllowedIndexes {
        for element in list where element.value.string == nil {
            guard let pattern = element.value.document, !pattern.isEmpty else {
                throw CommandError(.badValue, "each of 'indexes' must be a name, or a key pattern that is not empty")
            }
        }
        let indexes = try AllowedIndexes(list, takesScan: false)
        guard !indexes.isEmpty else {
            throw CommandError(.badValue, "required field indexes must contain at least one index")
        }
        return indexes
    }

    /// The collection whose queries are planned; nil when there is none.
    private static func planned(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> Collection? {
        let namespace = try request.namespace()
        guard let collection = try await context.documents.collection(namespace) else { return nil }
        guard collection.view == nil, collection.timeseries == nil else { throw .notSupportedOnView(namespace) }
        return collection
    }
}

/// The query that a command about plans names: `query`, `sort`, `projection` and `collation`. As in MongoDB other
/// fields are taken for no fault.
private struct PlanCacheQuery {
    private let query: Document
    private let sort: Document
    private let projection: Document
    private let collation: Document?
    let shape: PlanShape

    /// - Parameter takesNull: whether a null stands for nothing.
    /// - Returns: nil when the command names none.
    /// - Throws: BadValue (2) for a sort, a projection or a collation of no query.
    init?(
        _ request: CommandRequest, on collection: Collection, takesNull: Bool = true
    ) throws(CommandError) {
        let part = { (name: StaticString) throws(CommandError) -> Document? in
            try request.body.withRaw { body throws(CommandError) in
                try Self.part(name, body[name], takesNull: takesNull)
            }
        }
        let (query, sort, projection) = (try part("query"), try part("sort"), try part("projection"))
        let collation = try request.body.withRaw { body throws(CommandError) in
            try Self.collation(body["collation"], takesNull: takesNull)
        }
        guard let query else {
            guard sort == nil, projection == nil, collation == nil else {
                throw CommandError(.badValue, "sort, projection or collation provided without query")
            }
            return nil
        }
        self.query = query
        self.sort = sort ?? .empty
        self.projection = projection ?? .empty
        let collator = (collation ?? .inherited).collator(default: collection.collator)
        if case .chosen(let chosen)? = collation {
            self.collation = chosen.collation.document
        } else {
            self.collation = nil
        }
        let filter = try Filter(compiling: query, environment: .none.collated(by: collator), allowing: .query)
        let order = try SortPattern(compiling: self.sort, collator: collator)
        if !self.projection.isEmpty {
            _ = try Projection(compiling: self.projection, filter: filter, environment: .none.collated(by: collator))
        }
        shape = PlanShape(
            filter: query, sort: order.specification, projection: self.projection,
            collation: collator?.collation.document)
    }

    func filter(allowing indexes: AllowedIndexes) -> IndexFilter {
        IndexFilter(
            shape: shape, query: query, sort: sort, projection: projection, collation: collation, indexes: indexes)
    }

    private static func part(
        _ name: StaticString, _ value: RawValue?, takesNull: Bool
    ) throws(CommandError) -> Document? {
        guard let value, !(takesNull && value.isNullish) else { return nil }
        guard let document = value.container else {
            throw CommandError(.badValue, "optional field \(name) must be an object")
        }
        return Document(copying: document)
    }

    private static func collation(_ value: RawValue?, takesNull: Bool) throws(CommandError) -> CollationChoice? {
        guard let value, !(takesNull && value.isNullish) else { return nil }
        guard let document = value.document, !document.isEmpty else {
            throw CommandError(.badValue, "optional field collation must be an object that is not empty")
        }
        return try Argument(command: "planCache", key: RawKey("collation"), value: value).collationChoice()
    }
}

extension IndexFilter {
    fileprivate var shown: Document {
        Document { builder in
            builder.append("query", document: query)
            builder.append("sort", document: sort)
            builder.append("projection", document: projection)
            if let collation { builder.append("collation", document: collation) }
            builder.append("indexes", .array(indexes.specification))
        }
    }
}
