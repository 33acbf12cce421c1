internal import Access
internal import BSON
internal import CommandModel
internal import Metrics
internal import Query
internal import Storage

/// Makes the documents of a first stage that tells what the server knows.
struct ServerFacts {
    let request: CommandRequest
    let context: CommandContext
    let namespace: Namespace

    /// - Throws: Unauthorized (13). The check before the command looks at the first stage only; this one also holds for
    ///   what pipelines within stages and behind views ask.
    func documents(of source: ServerSource) async throws(CommandError) -> [Document] {
        if let needed = PipelineAccess.requirement(of: source.name, on: .collection(namespace)),
            !context.access.allows(needed.action, on: needed.target)
        {
            throw CommandError(.unauthorized, "not authorized on \(namespace.database) to run \(source.name)")
        }
        return switch source {
        case .collectionStatistics(let options): [try await statistics(options)]
        case .indexStatistics: try await indexes()
        case .planCache: try await cachedPlans()
        case .catalog: try await catalog()
        case .clusterCatalog(let options): try await clusterCatalog(options)
        case .operations(let options): try OperationList(request, context, options).documents()
        case .localSessions(let options), .sessions(let options): try sessions(options)
        case .querySettings(let showsShapes): try await querySettings(showsShapes: showsShapes)
        // There is no search service, and nothing gathers queries.
        case .searchIndexes, .queryStatistics, .sampledQueries: []
        }
    }

    var host: String { context.server.identity.advertisedHost }

    /// The collection, that which a view shows, or nil.
    ///
    /// - Throws: where the pipeline of a view comes before the stage, which has to be the first one.
    private func source(_ stage: String) async throws(CommandError) -> Collection? {
        var collection = try await context.documents.collection(namespace)
        // A chain of views is never longer.
        for _ in 0..<20 {
            guard let view = collection?.view else { return collection }
            guard view.pipeline.isEmpty else {
                throw CommandError(ErrorCode(40602), "\(stage) is only valid as the first stage in a pipeline")
            }
            collection = try await context.documents.collection(
                Namespace(database: namespace.database, collection: view.source))
        }
        return nil
    }

    /// How often documents were found by the index that comes with a collection is not counted, so that it is not told.
    private func indexes() async throws(CommandError) -> [Document] {
        guard let collection = try await source("$indexStats") else { return [] }
        let own = collection.ownIndex.map { [statistics(of: $0, nil)] } ?? []
        return own + collection.secondaryIndexes.map { statistics(of: $0.definition.specification, $0.usage) }
    }

    private func statistics(of index: Document, _ usage: IndexUsage?) -> Document {
        Document { builder in
            index.withRaw { raw in
                for field in raw where field.key == "name" || field.key == "key" { builder.append(field) }
            }
            builder.append("host", string: host)
            if let usage {
                builder.beginDocument("accesses")
                builder.append("ops", int64: usage.count)
                builder.append("since", date: usage.since)
                builder.end()
            }
            builder.append("spec", document: index)
        }
    }

    private func querySettings(showsShapes: Bool) async throws(CommandError) -> [Document] {
        try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.refreshQuerySettings()
        }
        return context.engine.querySettings.all.map { entry in
            Document { builder in
                builder.append("queryShapeHash", string: entry.hash.description)
                builder.append("settings", document: entry.settings.document)
                builder.append("representativeQuery", document: entry.query)
                guard showsShapes, let shape = QueryShape(of: entry.query, in: entry.namespace.database) else { return }
                builder.append("debugQueryShape", document: shape.document)
            }
        }
    }

    /// Plans are made anew for each query, and none are kept.
    private func cachedPlans() async throws(CommandError) -> [Document] {
        guard let collection = try await source("$planCacheStats") else {
            throw CommandError(ErrorCode(50933), "there are no plans of a collection that does not exist: \(namespace)")
        }
        guard collection.timeseries == nil else {
            throw CommandError(ErrorCode(40602), "$planCacheStats is only valid as the first stage in a pipeline")
        }
        return []
    }

    private func sessions(_ options: SessionListOptions) throws(CommandError) -> [Document] {
        let owners = Set(options.users.map { UserName($0.name, in: $0.database).sessionOwner })
        let isForOthers = options.asksForAll || owners.contains { $0 != request.owner }
        if isForOthers, !context.access.allows(.listSessions, on: .cluster) {
            throw CommandError(.unauthorized, "not authorized to list the sessions of others")
        }
        let now = ClusterClock.wallMilliseconds()
        return context.server.sessions.idleTimes().filter { session in
            guard owners.isEmpty else { return session.id.owner.map(owners.contains) ?? false }
            return options.asksForAll || session.id.owner == request.owner
        }.map { session in
            Document { builder in
                builder.beginDocument("_id")
                builder.append("id", binary: session.id.uuid, subtype: 4)
                if let owner = session.id.owner { builder.append("uid", binary: owner, subtype: 0) }
                builder.end()
                builder.append("lastUse", date: now - session.idleMilliseconds)
            }
        }
    }
}

// $collStats
extension ServerFacts {
    private func statistics(_ options: CollectionStatisticsOptions) async throws(CommandError) -> Document {
        let collection = try await context.documents.collection(namespace)
        if options.needsCollection {
            guard let collection else { throw CommandError(.namespaceNotFound, "ns does not exist: \(namespace)") }
            guard collection.view == nil else { throw .notSupportedOnView(namespace) }
        }
        let counters = context.server.namespaces[namespace] ?? NamespaceCounters.Counters()
        let sizes = try await options.needsCollection ? collectionStatistics() : nil
        return Document { builder in
            builder.append("ns", string: namespace.description)
            builder.append("host", string: host)
            builder.append("localTime", date: ClusterClock.wallMilliseconds())
            if options.wantsLatencies { counters.writeLatencies(histograms: options.wantsHistograms, into: &builder) }
            if let scale = options.scale {
                builder.beginDocument("storageStats")
                CommandTable.writeStatistics(sizes, of: collection, scale: scale, &builder)
                builder.end()
            }
            if options.wantsCount { builder.append("count", Value.smallest(sizes?.documentCount ?? 0)) }
            if options.wantsExecutions, let collection {
                builder.beginDocument("queryExecStats")
                builder.beginDocument("collectionScans")
                builder.write(collectionScans: collection.usage)
                builder.end()
                builder.end()
            }
        }
    }

    private func collectionStatistics() async throws(CommandError) -> CollectionStatistics? {
        try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.statistics(of: namespace)
        }
    }
}

extension NamespaceCounters.Counters {
    /// In microseconds. A transaction's statements count among the others, and a transaction belongs to no collection.
    fileprivate func writeLatencies(histograms: Bool, into builder: inout DocumentBuilder) {
        builder.beginDocument("latencyStats")
        let times = CommandKind.Class.allCases.map { (name: "\($0)", counts: self[$0]) }
        for (name, counts) in times + [("transactions", LatencyCounts(.coarse))] {
            builder.write(name: name, counts, histogram: histograms)
        }
        builder.end()
    }
}

// $listCatalog, $listClusterCatalog
extension ServerFacts {
    /// Of a collection, or of all databases.
    private func catalog() async throws(CommandError) -> [Document] {
        guard request.collectionName != nil else { return try await entries(of: databases()).map { $0.catalogEntry } }
        return try await entries(of: [namespace.database]).filter { $0.namespace == namespace }.map { $0.catalogEntry }
    }

    /// Of the database, or of all for `admin`.
    private func clusterCatalog(_ options: ClusterCatalogOptions) async throws(CommandError) -> [Document] {
        let names = try await namespace.database == "admin" ? databases() : [namespace.database]
        return try await entries(of: names).map { $0.clusterEntry(showsShards: options.showsShards) }
    }

    private func databases() async throws(CommandError) -> [String] {
        try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.catalog.databases().map(\.name)
        }
    }

    private func entries(of databases: [String]) async throws(CommandError) -> [Collection] {
        var entries: [Collection] = []
        for database in databases {
            entries += try await context.engine.mapped { () async throws(StorageError) in
                try await context.engine.catalog.collections(in: database).map(\.collection)
            }
        }
        return entries
    }
}

extension Collection {
    fileprivate var catalogEntry: Document {
        Document { builder in
            builder.append("db", string: namespace.database)
            CommandTable.description(of: self, nameOnly: false).withRaw { raw in
                for field in raw { builder.append(field) }
            }
            builder.append("ns", string: namespace.description)
        }
    }

    fileprivate func clusterEntry(showsShards: Bool) -> Document {
        Document { builder in
            builder.append("db", string: namespace.database)
            builder.append("ns", string: namespace.description)
            CommandTable.description(of: self, nameOnly: false).withRaw { raw in
                for field in raw where !(field.key == "name") { builder.append(field) }
            }
            builder.append("sharded", bool: false)
            guard showsShards else { return }
            builder.beginArray("shards")
            builder.end()
        }
    }
}
