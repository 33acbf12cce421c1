internal import BSON
package import CommandModel

/// A first stage that reads no documents, but tells what the server knows: about a collection, or about itself.
///
/// Its documents are known before the pipeline runs; whoever runs the pipeline makes them.
package enum ServerSource: Sendable, Hashable {
    /// `$collStats`
    case collectionStatistics(CollectionStatisticsOptions)
    /// `$indexStats`
    case indexStatistics
    /// `$planCacheStats`
    case planCache
    /// `$listSearchIndexes`
    case searchIndexes
    /// `$listCatalog`
    case catalog
    /// `$listClusterCatalog`
    case clusterCatalog(ClusterCatalogOptions)
    /// `$currentOp`
    case operations(OperationListOptions)
    /// `$listLocalSessions`
    case localSessions(SessionListOptions)
    /// `$listSessions`
    case sessions(SessionListOptions)
    /// `$querySettings`
    case querySettings(showsShapes: Bool)
    /// `$queryStats`
    case queryStatistics
    /// `$listSampledQueries`
    case sampledQueries

    /// - Returns: nil for a stage that is none of these.
    init?(compiling stage: RawElement) throws(CommandError) {
        let value = stage.value
        switch stage.key {
        case "$collStats": self = .collectionStatistics(try CollectionStatisticsOptions(value))
        case "$indexStats": self = try Self.readIndexStatistics(value)
        case "$planCacheStats": self = try Self.readPlanCache(value)
        case "$listSearchIndexes": self = try Self.readSearchIndexes(value)
        case "$listCatalog": self = try Self.readCatalog(value)
        case "$listClusterCatalog": self = .clusterCatalog(try ClusterCatalogOptions(value))
        case "$currentOp": self = .operations(try OperationListOptions(value))
        case "$listLocalSessions": self = .localSessions(try SessionListOptions(value, of: "$listLocalSessions"))
        case "$listSessions": self = .sessions(try SessionListOptions(value, of: "$listSessions"))
        case "$querySettings": self = try Self.readQuerySettings(value)
        case "$queryStats": self = try Self.readQueryStatistics(value)
        case "$listSampledQueries": self = try Self.readSampledQueries(value)
        default: return nil
        }
    }

    /// What the command with the stage must be on.
    package enum Target: Sendable {
        case collection, database, adminDatabase, sessionsCollection, either
    }

    package var target: Target {
        switch self {
        case .collectionStatistics, .indexStatistics, .planCache, .searchIndexes: .collection
        case .clusterCatalog, .localSessions, .querySettings: .database
        case .operations, .queryStatistics, .sampledQueries: .adminDatabase
        case .sessions: .sessionsCollection
        case .catalog: .either
        }
    }

    package var name: String {
        switch self {
        case .collectionStatistics: "$collStats"
        case .indexStatistics: "$indexStats"
        case .planCache: "$planCacheStats"
        case .searchIndexes: "$listSearchIndexes"
        case .catalog: "$listCatalog"
        case .clusterCatalog: "$listClusterCatalog"
        case .operations: "$currentOp"
        case .localSessions: "$listLocalSessions"
        case .sessions: "$listSessions"
        case .querySettings: "$querySettings"
        case .queryStatistics: "$queryStats"
        case .sampledQueries: "$listSampledQueries"
        }
    }

    /// Whether the stage may be used with `apiStrict`.
    package var isInStableAPI: Bool {
        guard case .collectionStatistics(let options) = self else { return false }
        return options.countsOnly
    }

    /// Whether a read concern stronger than `local` says anything.
    package var takesReadConcern: Bool {
        switch self {
        case .collectionStatistics, .indexStatistics, .searchIndexes: true
        default: false
        }
    }
}

/// What the server knows of a collection, asked for in a pipeline over it that stands within a stage.
package struct ForeignFact: Sendable, Hashable {
    package let collection: String
    package let source: ServerSource

    package init(collection: String, source: ServerSource) {
        self.collection = collection
        self.source = source
    }
}

extension ServerSource {
    /// Refuses what does not tell of a collection where a pipeline over a collection begins with it.
    func checkInner() throws(CommandError) {
        switch self {
        case .collectionStatistics, .indexStatistics, .planCache, .searchIndexes, .catalog: return
        case .clusterCatalog: throw .notOnCollection(name)
        case .operations, .localSessions, .sessions, .querySettings, .queryStatistics, .sampledQueries:
            throw CommandError(.invalidNamespace, "\(name) reads no collection and cannot stand in a sub-pipeline")
        }
    }
}

extension CommandError {
    /// `$listClusterCatalog` that is asked of a collection.
    package static func notOnCollection(_ stage: String) -> CommandError {
        CommandError(ErrorCode(9_621_301), "\(stage) must be run against a database")
    }
}

// Stages with few options or none.
extension ServerSource {
    private static func readIndexStatistics(_ value: RawValue) throws(CommandError) -> ServerSource {
        try checkEmpty(value, "$indexStats", ErrorCode(28803))
        return .indexStatistics
    }

    private static func readPlanCache(_ value: RawValue) throws(CommandError) -> ServerSource {
        guard let document = value.document else {
            throw CommandError(.failedToParse, "$planCacheStats must be an object, but is \(value.type.alias)")
        }
        guard let field = document.firstElement else { return .planCache }
        guard field.key == "allHosts", document.elementCount == 1 else {
            throw CommandError(.failedToParse, "$planCacheStats takes nothing but 'allHosts', once")
        }
        guard let allHosts = field.value.bool else {
            throw CommandError(ErrorCode(13111), "'allHosts' of $planCacheStats must be a boolean")
        }
        guard !allHosts else {
            throw CommandError(ErrorCode(4_503_200), "$planCacheStats takes allHosts: true in a sharded cluster only")
        }
        return .planCache
    }

    private static func readSearchIndexes(_ value: RawValue) throws(CommandError) -> ServerSource {
        try fields(of: value, "$listSearchIndexes") { argument throws(CommandError) in
            switch argument.key {
            case "id", "name": _ = try argument.string()
            default: throw argument.unknownField()
            }
        }
        return .searchIndexes
    }

    private static func readCatalog(_ value: RawValue) throws(CommandError) -> ServerSource {
        try checkEmpty(value, "$listCatalog", ErrorCode(6_200_600))
        return .catalog
    }

    private static func checkEmpty(_ value: RawValue, _ stage: StaticString, _ code: ErrorCode) throws(CommandError) {
        guard let document = value.document, document.isEmpty else {
            throw CommandError(code, "the \(stage) stage specification must be an empty object")
        }
    }

    private static func readQuerySettings(_ value: RawValue) throws(CommandError) -> ServerSource {
        guard let document = value.document else {
            throw CommandError(ErrorCode(7_746_800), "$querySettings must be an object, but is \(value.type.alias)")
        }
        var showsShapes = false
        for field in document {
            let argument = Argument(command: "$querySettings", key: field.key, value: field.value)
            guard field.key == "showDebugQueryShape" else { throw argument.unknownField() }
            showsShapes = try argument.bool()
        }
        return .querySettings(showsShapes: showsShapes)
    }

    private static func readQueryStatistics(_ value: RawValue) throws(CommandError) -> ServerSource {
        try fields(of: value, "$queryStats") { argument throws(CommandError) in
            guard argument.key == "transformIdentifiers" else { throw argument.unknownField() }
            _ = try argument.document()
        }
        return .queryStatistics
    }

    private static func readSampledQueries(_ value: RawValue) throws(CommandError) -> ServerSource {
        try fields(of: value, "$listSampledQueries") { argument throws(CommandError) in
            guard argument.key == "namespace" else { throw argument.unknownField() }
            _ = try argument.string()
        }
        return .sampledQueries
    }

    /// Calls `body` for each option of a stage, whose specification must be an object.
    static func fields(
        of value: RawValue, _ stage: StaticString, _ body: (Argument) throws(CommandError) -> Void
    ) throws(CommandError) {
        guard let document = value.document else {
            throw CommandError(.typeMismatch, "\(stage) must be an object, but is \(value.type.alias)")
        }
        for field in document { try body(Argument(command: stage, key: field.key, value: field.value)) }
    }
}
