/// The roles that are always there.
///
/// Source: https://www.mongodb.com/docs/manual/reference/built-in-roles/
package enum BuiltInRole: String, Sendable, CaseIterable {
    // Of every database.
    case read, readWrite, dbAdmin, dbOwner, userAdmin
    // Of `admin`.
    case readAnyDatabase, readWriteAnyDatabase, dbAdminAnyDatabase, userAdminAnyDatabase
    case clusterMonitor, clusterManager, hostManager, clusterAdmin, backup, restore, root

    package var isOfAdminOnly: Bool {
        switch self {
        case .read, .readWrite, .dbAdmin, .dbOwner, .userAdmin: false
        default: true
        }
    }

    /// The role of this name, if the database has it.
    package init?(_ name: RoleName) {
        guard let role = BuiltInRole(rawValue: name.name), name.name.hasSameBytes(as: role.rawValue) else { return nil }
        guard !role.isOfAdminOnly || name.database == "admin" else { return nil }
        self = role
    }

    package static func all(in database: String) -> [BuiltInRole] {
        allCases.filter { !$0.isOfAdminOnly || database == "admin" }
    }

    package func privileges(in database: String) -> [Privilege] {
        switch self {
        case .read: Self.reading(database)
        case .readWrite: Self.writing(database)
        case .dbAdmin: Self.administration(database)
        case .userAdmin: Self.userAdministration(database)
        case .dbOwner: Self.writing(database) + Self.administration(database) + Self.userAdministration(database)
        case .readAnyDatabase: Self.reading("") + [Privilege(.cluster, [.listDatabases])]
        case .readWriteAnyDatabase: Self.writing("") + [Privilege(.cluster, [.listDatabases])]
        case .dbAdminAnyDatabase: Self.administration("") + [Privilege(.cluster, [.listDatabases])]
        case .userAdminAnyDatabase: Self.userAdministrationEverywhere
        case .clusterMonitor: Self.monitoring
        case .clusterManager: Self.management
        case .hostManager: Self.hostManagement
        case .clusterAdmin:
            Self.monitoring + Self.management + Self.hostManagement
                + [Privilege(.collection("", ""), [.dropDatabase])]
        case .backup: Self.backing
        case .restore: Self.restoring
        case .root: Self.everything
        }
    }
}

// The parts. An empty database stands for all.
extension BuiltInRole {
    private static let readActions: ActionSet = [
        .changeStream, .collStats, .dbHash, .dbStats, .find, .killCursors, .listCollections, .listIndexes,
        .listSearchIndexes, .planCacheRead,
    ]
    private static let writeActions: ActionSet = readActions.union([
        .convertToCapped, .createCollection, .createIndex, .createSearchIndexes, .dropCollection, .dropIndex,
        .dropSearchIndex, .insert, .remove, .renameCollectionSameDB, .update, .updateSearchIndex,
    ])
    private static let administrationActions: ActionSet = [
        .analyze, .bypassDocumentValidation, .collMod, .collStats, .compact, .convertToCapped, .createCollection,
        .createIndex, .createSearchIndexes, .dbStats, .dropCollection, .dropDatabase, .dropIndex, .dropSearchIndex,
        .enableProfiler, .listCollections, .listIndexes, .listSearchIndexes, .planCacheIndexFilter, .planCacheRead,
        .planCacheWrite, .reIndex, .renameCollectionSameDB, .storageDetails, .updateSearchIndex, .validate,
    ]
    private static let userActions: ActionSet = [
        .changeCustomData, .changePassword, .createRole, .createUser, .dropRole, .dropUser, .grantRole, .revokeRole,
        .setAuthenticationRestriction, .viewRole, .viewUser,
    ]

    private static func reading(_ database: String) -> [Privilege] {
        [
            Privilege(.collection(database, ""), readActions),
            Privilege(.collection(database, "system.js"), readActions),
        ]
    }

    private static func writing(_ database: String) -> [Privilege] {
        [
            Privilege(.collection(database, ""), writeActions),
            Privilege(.collection(database, "system.js"), writeActions),
        ]
    }

    private static func administration(_ database: String) -> [Privilege] {
        let profile = readActions.union([.convertToCapped, .createCollection, .dropCollection])
        return [
            Privilege(.collection(database, ""), administrationActions),
            Privilege(.collection(database, "system.profile"), profile),
        ]
    }

    private static func userAdministration(_ database: String) -> [Privilege] {
        let own = [Privilege(.collection(database, ""), userActions)]
        // Who makes users of `admin` can make one who may do this anyway.
        return database == "admin" ? own + [Privilege(.cluster, [.invalidateUserCache, .listDatabases])] : own
    }

    private static var userAdministrationEverywhere: [Privilege] {
        [
            Privilege(.collection("", ""), userActions),
            Privilege(.cluster, [.authSchemaUpgrade, .invalidateUserCache, .listDatabases, .listCachedAndActiveUsers]),
        ]
    }

    private static var monitoring: [Privilege] {
        let reading: ActionSet = [
            .collStats, .dbHash, .dbStats, .find, .getShardVersion, .indexStats, .killCursors, .listCollections,
            .listIndexes, .planCacheRead,
        ]
        return [
            Privilege(
                .cluster,
                [
                    .checkFreeMonitoringStatus, .connPoolStats, .getClusterParameter, .getCmdLineOpts,
                    .getDefaultRWConcern, .getLog, .getParameter, .getShardMap, .hostInfo, .inprog, .listDatabases,
                    .listSessions, .listShards, .netstat, .operationMetrics, .queryStatsRead,
                    .queryStatsReadTransformed, .replSetGetConfig, .replSetGetStatus, .serverStatus,
                    .setFreeMonitoring, .shardingState, .top,
                ]),
            Privilege(.collection("", ""), [.collStats, .dbStats, .getDatabaseVersion, .getShardVersion, .indexStats]),
            Privilege(.collection("", "system.profile"), [.find]),
            Privilege(.collection("config", ""), reading),
            Privilege(.collection("local", ""), reading),
        ]
    }

    private static var management: [Privilege] {
        [
            Privilege(
                .cluster,
                [
                    .addShard, .appendOplogNote, .applicationMessage, .cleanupOrphaned, .flushRouterConfig,
                    .getClusterParameter, .getDefaultRWConcern, .listSessions, .listShards, .querySettings,
                    .removeShard, .replSetConfigure, .replSetGetConfig, .replSetGetStatus, .replSetStateChange,
                    .resync, .setClusterParameter, .setDefaultRWConcern, .setFeatureCompatibilityVersion,
                    .setFreeMonitoring, .transitionFromDedicatedConfigServer, .transitionToDedicatedConfigServer,
                ]),
            Privilege(
                .collection("", ""),
                [
                    .analyzeShardKey, .checkMetadataConsistency, .clearJumboFlag, .enableSharding, .moveChunk,
                    .moveCollection, .refineCollectionShardKey, .reshardCollection, .splitChunk, .splitVector,
                    .unshardCollection,
                ]),
        ] + writing("config")
    }

    private static var hostManagement: [Privilege] {
        [
            Privilege(
                .cluster,
                [
                    .applicationMessage, .closeAllDatabases, .compact, .connPoolSync, .cpuProfiler, .dropConnections,
                    .flushRouterConfig, .fsync, .getParameter, .invalidateUserCache, .killAnyCursor, .killAnySession,
                    .killop, .logRotate, .oidReset, .resync, .rotateCertificates, .setParameter, .shutdown, .touch,
                    .trafficRecord, .unlock,
                ]),
            Privilege(.collection("", ""), [.killAnyCursor, .killCursors]),
        ]
    }

    private static var backing: [Privilege] {
        [
            Privilege(.any, [.listCollections, .listDatabases, .listIndexes]),
            Privilege(
                .cluster,
                [.appendOplogNote, .getParameter, .listDatabases, .serverStatus, .setUserWriteBlockMode]),
            Privilege(.collection("", ""), [.changeStream, .collStats, .dbStats, .find]),
            Privilege(.collection("", "system.js"), [.find]),
            Privilege(.collection("", "system.profile"), [.find]),
        ]
    }

    private static var restoring: [Privilege] {
        let actions: ActionSet = [
            .bypassDocumentValidation, .changeCustomData, .changePassword, .collMod, .convertToCapped,
            .createCollection, .createIndex, .createRole, .createSearchIndexes, .createUser, .dropCollection,
            .dropIndex, .dropRole, .dropUser, .grantRole, .insert, .revokeRole, .update, .viewRole, .viewUser,
        ]
        return [
            Privilege(.any, [.listCollections]),
            Privilege(
                .cluster, [.bypassWriteBlockingMode, .forceUUID, .getParameter, .setUserWriteBlockMode, .useUUID]),
            Privilege(.collection("", ""), actions),
            Privilege(.collection("", "system.js"), actions),
        ]
    }

    private static var everything: [Privilege] {
        let parts: [BuiltInRole] = [
            .readWriteAnyDatabase, .dbAdminAnyDatabase, .userAdminAnyDatabase, .clusterAdmin, .restore, .backup,
        ]
        return PrivilegeSet(parts.flatMap { $0.privileges(in: "admin") } + [Privilege(.any, [.validate])]).all
    }
}
