internal import BSON
internal import CommandModel
internal import Query

// What a pipeline may contain depends on what it reads and how it was asked for. That is told by the names of its
// stages, before they are compiled.
extension AggregateArguments {
    func checkRules(_ request: CommandRequest) throws(CommandError) {
        guard !explains || request.shared.writeConcern == nil else {
            throw CommandError(.failedToParse, "aggregate: 'explain' and 'writeConcern' cannot be used together")
        }
        if request.shared.apiStrict { try checkStableAPI() }
        try checkNamespace()
        if let level = request.shared.readConcern?.level { try checkReadConcern(level) }
    }

    /// `aggregate: 1` is for pipelines that begin with a stage that brings documents of its own, and such a stage
    /// reads no collection.
    private func checkNamespace() throws(CommandError) {
        let first = stageNames.first
        let bringsDocuments = first.map(Self.sources.contains) ?? false
        if hasCollection, bringsDocuments {
            throw CommandError(.invalidNamespace, "\(first ?? "") can only be run with {aggregate: 1}")
        }
        // One that there is not is refused by the compiler, by its name, and a $facet by what is in it.
        let isKnown = first.map(Self.readers.contains) ?? true
        if !hasCollection, !bringsDocuments, isKnown, first != "$facet" { throw noCollection }
        if hasCollection { try checkFacets() }
    }

    /// Stages that read no collection may not stand in a `$facet` at all; over a collection that is what MongoDB says
    /// first.
    private func checkFacets() throws(CommandError) {
        try pipeline.withRaw { pipeline throws(CommandError) in
            for stage in pipeline {
                guard let facet = stage.value.document?.firstElement, facet.key == "$facet",
                    let outputs = facet.value.document
                else { continue }
                for inner in outputs {
                    guard let name = inner.value.array?.firstElement?.value.document?.firstElement?.key.string else {
                        continue
                    }
                    switch name {
                    case "$listLocalSessions":
                        throw CommandError(.invalidNamespace, "\(name) can only be run with {aggregate: 1}")
                    case "$listClusterCatalog": throw .notOnCollection(name)
                    default: continue
                    }
                }
            }
        }
    }

    private var noCollection: CommandError {
        CommandError(
            .invalidNamespace,
            "{aggregate: 1} is not valid for a pipeline that begins with '\(stageNames.first ?? "nothing")'")
    }

    /// Whether there is anything to read, once it is known that the stages are in order.
    func checkSource(_ compiled: CompiledPipeline) throws(CommandError) {
        guard hasCollection || compiled.documents != nil || compiled.server != nil else { throw noCollection }
    }

    private func checkStableAPI() throws(CommandError) {
        guard !explains else { throw Self.notStable("explain") }
        try pipeline.withRaw { pipeline throws(CommandError) in
            for element in pipeline {
                guard let stage = element.value.document?.firstElement else { continue }
                let isStable =
                    stage.key == "$collStats"
                    ? stage.value.document.map { $0.allSatisfy { $0.key == "count" } } ?? true
                    : !Self.unstable.contains(stage.key.string)
                guard isStable else { throw Self.notStable(stage.key.string) }
            }
        }
    }

    private static func notStable(_ name: String) -> CommandError {
        CommandError(.apiStrictError, "\(name) is not allowed with apiStrict: true in API Version 1")
    }

    /// Some stages tell of the server's memory, which has no snapshots; and what was written must be confirmed by
    /// whoever reads it.
    private func checkReadConcern(_ level: ReadConcern.Level) throws(CommandError) {
        for name in stageNames {
            let isAllowed =
                switch name {
                case "$currentOp", "$listLocalSessions", "$planCacheStats": level == .local
                case "$indexStats", "$collStats": [.local, .available, .majority].contains(level)
                case "$out", "$merge": level != .linearizable
                default: true
                }
            guard isAllowed else {
                throw CommandError(
                    .invalidOptions,
                    "Aggregation stage \(name) cannot run with a readConcern level of '\(level.rawValue)'")
            }
        }
    }

    private var stageNames: [String] {
        pipeline.withRaw { pipeline in
            pipeline.compactMap { $0.value.document?.firstElement?.key.string }
        }
    }

    private static let sources: Set<String> = ["$documents", "$currentOp", "$listLocalSessions", "$queryStats"]

    /// Those that read what comes to them.
    private static let readers: Set<String> = [
        "$addFields", "$bucket", "$bucketAuto", "$collStats", "$count", "$densify", "$facet", "$fill", "$geoNear",
        "$graphLookup", "$group", "$indexStats", "$limit", "$lookup", "$match", "$merge", "$out", "$planCacheStats",
        "$project", "$redact", "$replaceRoot", "$replaceWith", "$sample", "$set", "$setWindowFields", "$skip", "$sort",
        "$sortByCount", "$unionWith", "$unset", "$unwind",
    ]

    /// Source: https://www.mongodb.com/docs/manual/reference/stable-api/
    private static let unstable: Set<String> = [
        "$currentOp", "$indexStats", "$listLocalSessions", "$listSessions", "$planCacheStats", "$search",
        "$searchMeta", "$queryStats", "$listSearchIndexes", "$vectorSearch",
    ]
}
