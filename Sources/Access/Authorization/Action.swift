/// What a privilege allows. The names are MongoDB's; what has no meaning here can be granted, and is of no use.
///
/// Source: https://www.mongodb.com/docs/manual/reference/privilege-actions/
package enum Action: UInt8, Sendable, CaseIterable {
    // Documents.
    case find, insert, remove, update, bypassDocumentValidation, useUUID, changeStream, killCursors, killAnyCursor
    // Users and roles.
    case changeCustomData, changeOwnCustomData, changeOwnPassword, changePassword, createRole, createUser, dropRole
    case dropUser, grantRole, revokeRole, setAuthenticationRestriction, viewRole, viewUser, invalidateUserCache
    case authSchemaUpgrade, listCachedAndActiveUsers, impersonate, oidReset, oidcListKeys, oidcRefreshKeys
    // Collections and indexes.
    case createCollection, createIndex, dropCollection, dropIndex, collMod, compact, convertToCapped, dropDatabase
    case renameCollectionSameDB, reIndex, validate, enableProfiler, storageDetails, planCacheIndexFilter
    case planCacheRead, planCacheWrite, createSearchIndexes, dropSearchIndex, listSearchIndexes, updateSearchIndex
    case compactStructuredEncryptionData, cleanupStructuredEncryptionData, analyze, exportCollection, importCollection
    case repairDatabase
    // What there is.
    case collStats, dbHash, dbStats, indexStats, listCollections, listDatabases, listIndexes, listSessions
    case allCollectionStats, listClusterCatalog
    // The server.
    case applicationMessage, bypassWriteBlockingMode, closeAllDatabases, connPoolStats, connPoolSync, cpuProfiler
    case dropConnections, forceUUID, fsync, getClusterParameter, getCmdLineOpts, getDefaultRWConcern, getLog
    case getParameter, hostInfo, inprog, killAnySession, killop, logRotate, netstat, operationMetrics
    case queryStatsRead, queryStatsReadTransformed, querySettings, rotateCertificates, serverStatus
    case setClusterParameter, setDefaultRWConcern, setFeatureCompatibilityVersion, setParameter
    case setUserWriteBlockMode, shutdown, top, touch, trafficRecord, unlock, checkFreeMonitoringStatus
    case setFreeMonitoring, setChangeStreamState, getChangeStreamState, bypassDefaultMaxTimeMS
    // Replication and sharding.
    case appendOplogNote, replSetConfigure, replSetGetConfig, replSetGetStatus, replSetHeartbeat
    case replSetStateChange, resync, addShard, analyzeShardKey, checkMetadataConsistency, cleanupOrphaned
    case clearJumboFlag, enableSharding, flushRouterConfig, getDatabaseVersion, getShardMap, getShardVersion
    case issueDirectShardOperations, listShards, moveChunk, moveCollection, refineCollectionShardKey, removeShard
    case reshardCollection, shardCollection, shardedDataDistribution, shardingState, splitChunk, splitVector
    case transitionFromDedicatedConfigServer, transitionToDedicatedConfigServer, unshardCollection
    // Everything, and what servers ask each other.
    case advanceClusterTime, applyOps, anyAction
    case `internal`

    package var name: String { "\(self)" }

    package init?(name: String) {
        guard let action = Self.byName[name] else { return nil }
        self = action
    }

    private static let byName = Dictionary(uniqueKeysWithValues: allCases.map { ($0.name, $0) })
}

/// Actions as bits, so that a check costs a few instructions.
package struct ActionSet: Sendable, Hashable {
    private var words: SIMD4<UInt64> = .zero

    package init() {}

    package init(_ actions: some Sequence<Action>) {
        for action in actions { insert(action) }
    }

    package var isEmpty: Bool { words == .zero }

    package mutating func insert(_ action: Action) {
        words[Int(action.rawValue >> 6)] |= 1 << UInt64(action.rawValue & 63)
    }

    package mutating func remove(_ action: Action) {
        words[Int(action.rawValue >> 6)] &= ~(1 << UInt64(action.rawValue & 63))
    }

    package mutating func formUnion(_ other: ActionSet) { words |= other.words }

    package mutating func subtract(_ other: ActionSet) { words &= ~other.words }

    package func union(_ other: ActionSet) -> ActionSet {
        var union = self
        union.formUnion(other)
        return union
    }

    /// `anyAction` stands for all of them.
    package func allows(_ action: Action) -> Bool { has(action) || has(.anyAction) }

    package func has(_ action: Action) -> Bool {
        words[Int(action.rawValue >> 6)] & (1 << UInt64(action.rawValue & 63)) != 0
    }

    /// In the order of their names.
    package var names: [String] { Action.allCases.filter(has).map(\.name).sorted() }
}

extension ActionSet: ExpressibleByArrayLiteral {
    package init(arrayLiteral elements: Action...) { self.init(elements) }
}
