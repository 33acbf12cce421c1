internal import Access
internal import BSON
internal import CommandModel
internal import Storage

/// What a pipeline needs: the right to read each collection that it names, and to write where it ends.
///
/// Views count as what they are called. Who may read a view reads what it shows, and who makes one must be able to read
/// what it stands on.
enum PipelineAccess {
    @Sendable static func requirements(_ request: CommandRequest) throws(CommandError) -> [Requirement] {
        let stages = request.body.stages("pipeline")
        let collection = request.collectionName.map { Namespace(database: request.database, collection: $0) }
        var needed = source(collection, stages, in: request.database)
        needed += reading(stages, in: request.database)
        for stage in stages { needed += try stage.withRaw { raw throws(CommandError) in try writing(raw, request) } }
        return needed
    }

    /// The collections beside its own. The same walk looks them up for the handler, so that none is read which is not
    /// found here.
    static func reading(_ stages: [Document], in database: String) -> [Requirement] {
        ViewDefinition.sources(of: stages).sorted().map {
            Requirement(.find, Namespace(database: database, collection: $0))
        }
    }

    /// Where the documents come from: the collection, or what the first stage tells of the server.
    private static func source(
        _ collection: Namespace?, _ stages: [Document], in database: String
    ) -> [Requirement] {
        let target = collection.map(Target.collection) ?? .database(database)
        let first = stages.first?.withRaw { $0.firstElement?.key.string } ?? ""
        if ownSources.contains(first) { return [] }
        return [requirement(of: first, on: target) ?? Requirement(.find, on: target)]
    }

    /// What a stage needs that tells of the server; nil for another one.
    static func requirement(of stage: String, on target: Target) -> Requirement? {
        sourceActions[stage].map { Requirement($0.0, on: $0.isOfCluster ? .cluster : target) }
    }

    /// What a first stage shows in place of documents, and whether that is of the whole server.
    private static let sourceActions: [String: (Action, isOfCluster: Bool)] = [
        "$collStats": (.collStats, false), "$indexStats": (.indexStats, false),
        "$planCacheStats": (.planCacheRead, false), "$listSearchIndexes": (.listSearchIndexes, false),
        "$listCatalog": (.listClusterCatalog, true), "$listClusterCatalog": (.listClusterCatalog, true),
        "$querySettings": (.querySettings, true), "$queryStats": (.queryStatsRead, true),
        "$listSampledQueries": (.listClusterCatalog, true),
    ]

    /// First stages that show no more than what is the client's own, or what stands in the pipeline.
    private static let ownSources: Set = ["$currentOp", "$documents", "$listLocalSessions", "$listSessions"]

    /// `$out` and `$merge`, wherever they stand.
    private static func writing(
        _ stage: RawDocument, _ request: CommandRequest
    ) throws(CommandError) -> [Requirement] {
        var needed: [Requirement] = []
        for field in stage {
            switch field.key {
            case "$out":
                for target in targets(of: field.value, in: request.database, into: false) {
                    needed += [Requirement(.insert, target), Requirement(.remove, target)]
                    needed += try bypassing(request, target)
                }
            case "$merge":
                for target in targets(of: field.value, in: request.database, into: true) {
                    needed += [Requirement(.insert, target), Requirement(.update, target)]
                    needed += try bypassing(request, target)
                }
            default: break
            }
        }
        return needed
    }

    private static func bypassing(_ request: CommandRequest, _ target: Namespace) throws(CommandError) -> [Requirement]
    {
        try WriteAccess.bypassing(request).map { _ in Requirement(.bypassDocumentValidation, target) }
    }

    /// A name, or a document with `db` and `coll`; of `$merge` perhaps under `into`. All that could be meant.
    private static func targets(of value: RawValue, in database: String, into: Bool) -> [Namespace] {
        if let name = value.string { return [Namespace(database: database, collection: name)] }
        guard let document = value.document else { return [] }
        if into {
            return document.filter { $0.key == "into" }.flatMap { targets(of: $0.value, in: database, into: false) }
        }
        let databases = document.filter { $0.key == "db" }.compactMap { $0.value.string }
        let collections = document.filter { $0.key == "coll" }.compactMap { $0.value.string }
        return collections.flatMap { collection in
            (databases.isEmpty ? [database] : databases).map { Namespace(database: $0, collection: collection) }
        }
    }
}

extension Document {
    /// The documents of an array field; none when it is not there. Of two fields of the name both.
    func stages(_ name: StaticString) -> [Document] {
        withRaw { raw in
            raw.filter { $0.key == name }.flatMap { field in
                (field.value.array.map(Array.init) ?? []).compactMap { element in
                    element.value.document.map(Document.init(copying:))
                }
            }
        }
    }
}
