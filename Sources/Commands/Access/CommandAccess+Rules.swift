internal import Access
internal import BSON
internal import CommandModel

// What each command needs, by its name. A command that is not here is refused to all but those who may do anything, and
// fails the test that goes through the table.
//
// Source: https://www.mongodb.com/docs/manual/reference/privilege-actions/ and the pages of the commands.

extension CommandAccess {
    static func of(_ command: String) -> CommandAccess { rules[command] ?? .undeclared }

    private static let rules =
        documentRules
        .merging(collectionRules) { first, _ in first }
        .merging(serverRules) { first, _ in first }
        .merging(userRules) { first, _ in first }

    private static let documentRules: [String: CommandAccess] = [
        "aggregate": .needing(PipelineAccess.requirements),
        "bulkWrite": .needing(WriteAccess.bulkWrite),
        "count": .collection(.find),
        "delete": .needing(WriteAccess.delete),
        "distinct": .collection(.find),
        "explain": .judging(explained),
        "martletSQL": .judging(explained),
        "find": .collection(.find),
        "findAndModify": .needing(WriteAccess.findAndModify),
        "findandmodify": .needing(WriteAccess.findAndModify),
        // The handlers let nobody but its owner go on with a cursor, or end it.
        "getMore": .loggedIn,
        "killCursors": .loggedIn,
        "insert": .needing(WriteAccess.insert),
        "mapReduce": .collection(.find),
        "mapreduce": .collection(.find),
        "update": .needing(WriteAccess.update),
    ]

    private static let collectionRules: [String: CommandAccess] = [
        "cloneCollectionAsCapped": .needing(CollectionAccess.clone),
        "collMod": .needing(CollectionAccess.modify),
        "collStats": .collection(.collStats),
        "compact": .collection(.compact),
        "compactStructuredEncryptionData": .collection(.compactStructuredEncryptionData),
        "convertToCapped": .collection(.convertToCapped),
        "create": .judging(CollectionAccess.create),
        "createIndexes": .collection(.createIndex),
        "dataSize": .needing(CollectionAccess.dataSize),
        "dbHash": .database(.dbHash),
        "dbStats": .database(.dbStats),
        "dbstats": .database(.dbStats),
        "deleteIndexes": .collection(.dropIndex),
        "drop": .collection(.dropCollection),
        "dropDatabase": .database(.dropDatabase),
        "dropIndexes": .collection(.dropIndex),
        "listCollections": .judging(CollectionAccess.list),
        // The handler leaves out what the client may not see.
        "listDatabases": .loggedIn,
        "listIndexes": .collection(.listIndexes),
        "planCacheClear": .collection(.planCacheWrite),
        "planCacheClearFilters": .collection(.planCacheIndexFilter),
        "planCacheListFilters": .collection(.planCacheIndexFilter),
        "planCacheSetFilter": .collection(.planCacheIndexFilter),
        "profile": .judging(profile),
        "reIndex": .collection(.reIndex),
        "renameCollection": .judging(CollectionAccess.rename),
        "validate": .collection(.validate),
        "validateDBMetadata": .needing(CollectionAccess.validateMetadata),
    ]

    private static let serverRules: [String: CommandAccess] = [
        // What drivers and tools say before they log in.
        "buildInfo": .everybody, "buildinfo": .everybody, "connectionStatus": .everybody, "hello": .everybody,
        "isMaster": .everybody, "ismaster": .everybody, "listCommands": .everybody, "ping": .everybody,
        "whatsmyuri": .everybody,

        "abortTransaction": .loggedIn, "commitTransaction": .loggedIn, "endSessions": .loggedIn,
        "refreshSessions": .loggedIn, "startSession": .loggedIn,
        // The handlers look whose sessions and operations are meant.
        "currentOp": .loggedIn, "killOp": .loggedIn, "killSessions": .loggedIn,

        "applyOps": .needing(ApplyOpsAccess.needed),
        "autoCompact": .cluster(.compact),
        "configureFailPoint": .cluster(.setParameter),
        "connPoolStats": .cluster(.connPoolStats),
        "dropConnections": .cluster(.dropConnections),
        "fsync": .cluster(.fsync),
        "fsyncUnlock": .cluster(.unlock),
        "getClusterParameter": .cluster(.getClusterParameter),
        "getCmdLineOpts": .cluster(.getCmdLineOpts),
        "getDefaultRWConcern": .cluster(.getDefaultRWConcern),
        "getDiagnosticData": .cluster(.serverStatus, .replSetGetStatus),
        "getLog": .cluster(.getLog),
        "getParameter": .cluster(.getParameter),
        "hostInfo": .cluster(.hostInfo),
        "killAllSessions": .cluster(.killAnySession),
        "killAllSessionsByPattern": .cluster(.killAnySession),
        "lockInfo": .cluster(.serverStatus),
        "logRotate": .cluster(.logRotate),
        "removeQuerySettings": .cluster(.querySettings),
        "replSetGetConfig": .cluster(.replSetGetConfig),
        "replSetGetStatus": .cluster(.replSetGetStatus),
        "rotateCertificates": .cluster(.rotateCertificates),
        "serverStatus": .cluster(.serverStatus),
        "setClusterParameter": .cluster(.setClusterParameter),
        "setDefaultRWConcern": .cluster(.setDefaultRWConcern),
        "setFeatureCompatibilityVersion": .cluster(.setFeatureCompatibilityVersion),
        "setParameter": .cluster(.setParameter),
        "setQuerySettings": .cluster(.querySettings),
        "setUserWriteBlockMode": .cluster(.setUserWriteBlockMode),
        "shutdown": .cluster(.shutdown),
        "top": .cluster(.top),
    ]

    private static let userRules: [String: CommandAccess] = [
        "authenticate": .everybody, "logout": .everybody, "saslContinue": .everybody, "saslStart": .everybody,

        "createRole": .needing(UserAccess.createRole),
        "createUser": .needing(UserAccess.createUser),
        "dropAllRolesFromDatabase": .database(.dropRole),
        "dropAllUsersFromDatabase": .database(.dropUser),
        "dropRole": .database(.dropRole),
        "dropUser": .database(.dropUser),
        "grantPrivilegesToRole": .needing(UserAccess.grantPrivileges),
        "grantRolesToRole": .needing(UserAccess.grantRolesToRole),
        "grantRolesToUser": .needing(UserAccess.grantRolesToUser),
        "invalidateUserCache": .cluster(.invalidateUserCache),
        "revokePrivilegesFromRole": .needing(UserAccess.revokePrivileges),
        "revokeRolesFromRole": .needing(UserAccess.revokeRolesFromRole),
        "revokeRolesFromUser": .needing(UserAccess.revokeRolesFromUser),
        "rolesInfo": .judging(UserAccess.rolesInfo),
        "updateRole": .needing(UserAccess.updateRole),
        "updateUser": .judging(UserAccess.updateUser),
        "usersInfo": .judging(UserAccess.usersInfo),
    ]

    /// Who asks how a command would run may run it.
    @Sendable private static func explained(
        _ request: CommandRequest, _ view: AccessView
    ) throws(CommandError) -> Bool {
        let inner = try request.withCommandValue(of: "explain") { argument throws(CommandError) in
            try argument.document()
        }
        let database = request.database
        let command = try CommandRequest(
            body: Document { builder in
                inner.withRaw { raw in
                    for field in raw where !(field.key == "$db") { builder.append(field) }
                }
                builder.append("$db", string: database)
            }, sequences: [])
        guard command.name != "explain", command.name != "martletSQL", let entry = CommandTable.standard[command.name]
        else { return true }
        return try entry.access.allows(command, view)
    }

    /// Levels are set by who may; a look at them needs less.
    @Sendable private static func profile(
        _ request: CommandRequest, _ view: AccessView
    ) throws(CommandError) -> Bool {
        if view.allows(.enableProfiler, in: request.database) { return true }
        let level = try request.withCommandValue(of: "profile") { argument throws(CommandError) in
            try argument.integer()
        }
        let profile = Namespace(database: request.database, collection: "system.profile")
        return level == -1 && view.allows(.find, on: .collection(profile))
    }
}
