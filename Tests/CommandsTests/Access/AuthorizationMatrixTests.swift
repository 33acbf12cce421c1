import Access
import BSON
import CommandModel
import Testing

@testable import Commands

/// A command, and the built-in roles that may send it: those of databases are held on the database `app`.
struct AccessCase: Sendable, CustomTestStringConvertible {
    let command: String
    let database: String
    let roles: Set<BuiltInRole>

    init(_ command: String, in database: String = "app", _ roles: Set<BuiltInRole>) {
        (self.command, self.database, self.roles) = (command, database, roles)
    }

    var testDescription: String { command }
}

private let nobody: Set<BuiltInRole> = []
private let everybody = Set(BuiltInRole.allCases)
private let readers: Set<BuiltInRole> = [
    .read, .readWrite, .dbOwner, .readAnyDatabase, .readWriteAnyDatabase, .backup, .root,
]
private let globalReaders: Set<BuiltInRole> = [.readAnyDatabase, .readWriteAnyDatabase, .backup, .root]
private let writers: Set<BuiltInRole> = [.readWrite, .dbOwner, .readWriteAnyDatabase, .root]
private let globalWriters: Set<BuiltInRole> = [.readWriteAnyDatabase, .root]
private let restorers: Set<BuiltInRole> = writers.union([.restore])
private let admins: Set<BuiltInRole> = [.dbAdmin, .dbOwner, .dbAdminAnyDatabase, .root]
private let userAdmins: Set<BuiltInRole> = [.userAdmin, .dbOwner, .userAdminAnyDatabase, .root]
private let monitors: Set<BuiltInRole> = [.clusterMonitor, .clusterAdmin, .root]
private let hosts: Set<BuiltInRole> = [.hostManager, .clusterAdmin, .root]
private let managers: Set<BuiltInRole> = [.clusterManager, .clusterAdmin, .root]

private let documentCases: [AccessCase] = [
    AccessCase(#"{"find": "c"}"#, readers),
    AccessCase(#"{"find": "c"}"#, in: "other", globalReaders),
    AccessCase(#"{"find": "system.users"}"#, in: "admin", nobody),
    AccessCase(#"{"find": "system.js"}"#, readers),
    AccessCase(#"{"find": "system.buckets.ts"}"#, readers),
    AccessCase(#"{"insert": "system.buckets.ts", "documents": []}"#, restorers),
    AccessCase(#"{"find": "system.buckets.system.users"}"#, in: "admin", nobody),
    AccessCase(#"{"find": "system.profile"}"#, admins.union([.clusterMonitor, .clusterAdmin, .backup])),
    AccessCase(#"{"count": "c"}"#, readers),
    AccessCase(#"{"distinct": "c", "key": "a"}"#, readers),
    AccessCase(#"{"aggregate": "c", "pipeline": []}"#, readers),
    AccessCase(#"{"aggregate": "c", "pipeline": [{"$lookup": {"from": "d", "as": "x"}}]}"#, readers),
    AccessCase(#"{"aggregate": "c", "pipeline": [{"$out": "d"}]}"#, writers),
    AccessCase(#"{"aggregate": "c", "pipeline": [{"$out": {"db": "other", "coll": "d"}}]}"#, globalWriters),
    AccessCase(#"{"aggregate": "c", "pipeline": [{"$merge": "d"}]}"#, writers),
    AccessCase(#"{"aggregate": "c", "pipeline": [{"$merge": {"into": {"db": "other", "coll": "d"}}}]}"#, globalWriters),
    AccessCase(
        #"{"aggregate": "c", "bypassDocumentValidation": true, "pipeline": [{"$out": "d"}]}"#, [.dbOwner, .root]),
    AccessCase(
        #"{"aggregate": "c", "pipeline": [{"$collStats": {}}]}"#,
        readers.union(admins).union([.clusterMonitor, .clusterAdmin])),
    AccessCase(#"{"aggregate": "c", "pipeline": [{"$indexStats": {}}]}"#, monitors),
    AccessCase(#"{"aggregate": 1, "pipeline": [{"$currentOp": {}}]}"#, in: "admin", everybody),
    AccessCase(#"{"aggregate": 1, "pipeline": [{"$documents": []}]}"#, everybody),
    AccessCase(#"{"aggregate": 1, "pipeline": [{"$listCatalog": {}}]}"#, in: "admin", nobody),
    AccessCase(#"{"explain": {"find": "c"}}"#, readers),
    AccessCase(#"{"explain": {"delete": "c", "deletes": []}}"#, writers),
    AccessCase(#"{"explain": {"find": "c", "$db": "app"}}"#, in: "other", globalReaders),
    AccessCase(#"{"martletSQL": {"find": "c"}}"#, readers),
    AccessCase(#"{"insert": "c", "documents": []}"#, restorers),
    AccessCase(
        #"{"insert": "c", "documents": [], "bypassDocumentValidation": true}"#, [.dbOwner, .restore, .root]),
    AccessCase(#"{"update": "c", "updates": [{"q": {}, "u": {}}]}"#, restorers),
    AccessCase(#"{"update": "c", "updates": [{"q": {}, "u": {}, "upsert": true}]}"#, restorers),
    AccessCase(#"{"delete": "c", "deletes": []}"#, writers),
    AccessCase(#"{"findAndModify": "c", "update": {}}"#, writers),
    AccessCase(#"{"findandmodify": "c", "remove": true}"#, writers),
    AccessCase(
        #"{"bulkWrite": 1, "ops": [{"insert": 0, "document": {}}], "nsInfo": [{"ns": "app.c"}]}"#, in: "admin",
        restorers),
    AccessCase(
        #"""
        {"bulkWrite": 1, "ops": [{"insert": 0, "document": {}}, {"delete": 1, "filter": {}}],
         "nsInfo": [{"ns": "app.c"}, {"ns": "other.c"}]}
        """#, in: "admin", globalWriters),
    AccessCase(#"{"getMore": {"$numberLong": "1"}, "collection": "c"}"#, everybody),
    AccessCase(#"{"killCursors": "c", "cursors": []}"#, everybody),
    AccessCase(#"{"mapReduce": "c"}"#, readers), AccessCase(#"{"mapreduce": "c"}"#, readers),
]

private let collectionCases: [AccessCase] = [
    AccessCase(#"{"create": "c"}"#, restorers.union(admins)),
    AccessCase(#"{"create": "v", "viewOn": "c", "pipeline": []}"#, restorers.union(admins)),
    AccessCase(#"{"collMod": "c"}"#, admins.union([.restore])),
    AccessCase(#"{"collMod": "v", "viewOn": "c", "pipeline": []}"#, [.dbOwner, .root]),
    AccessCase(#"{"collStats": "c"}"#, readers.union(admins).union(monitors)),
    AccessCase(#"{"compact": "c"}"#, admins),
    AccessCase(#"{"convertToCapped": "c", "size": 1}"#, restorers.union(admins)),
    AccessCase(#"{"cloneCollectionAsCapped": "c", "toCollection": "d", "size": 1}"#, writers),
    AccessCase(#"{"createIndexes": "c", "indexes": []}"#, restorers.union(admins)),
    AccessCase(#"{"dropIndexes": "c", "index": "*"}"#, restorers.union(admins)),
    AccessCase(#"{"deleteIndexes": "c", "index": "*"}"#, restorers.union(admins)),
    AccessCase(#"{"dataSize": "app.c"}"#, readers),
    AccessCase(#"{"dataSize": "other.c"}"#, globalReaders),
    AccessCase(#"{"dbStats": 1}"#, readers.union(admins).union(monitors)),
    AccessCase(#"{"dbstats": 1}"#, readers.union(admins).union(monitors)),
    AccessCase(#"{"drop": "c"}"#, restorers.union(admins)),
    AccessCase(#"{"dropDatabase": 1}"#, admins.union([.clusterAdmin])),
    AccessCase(#"{"listCollections": 1}"#, readers.union(admins).union([.restore])),
    AccessCase(
        #"{"listCollections": 1, "nameOnly": true, "authorizedCollections": true}"#,
        everybody.subtracting([.hostManager, .clusterManager]).union([.hostManager, .clusterManager])),
    AccessCase(#"{"listDatabases": 1}"#, in: "admin", everybody),
    AccessCase(#"{"listIndexes": "c"}"#, readers.union(admins)),
    AccessCase(#"{"planCacheClear": "c"}"#, admins),
    AccessCase(#"{"planCacheClearFilters": "c"}"#, admins),
    AccessCase(#"{"planCacheListFilters": "c"}"#, admins),
    AccessCase(#"{"planCacheSetFilter": "c"}"#, admins),
    AccessCase(#"{"reIndex": "c"}"#, admins),
    AccessCase(#"{"renameCollection": "app.c", "to": "app.d"}"#, in: "admin", writers.union(admins)),
    AccessCase(#"{"renameCollection": "app.c", "to": "other.d"}"#, in: "admin", globalWriters),
    AccessCase(#"{"validate": "c"}"#, admins),
    AccessCase(#"{"validate": "system.js"}"#, [.root]),
    AccessCase(#"{"validateDBMetadata": 1}"#, [.dbAdminAnyDatabase, .root]),
    AccessCase(#"{"validateDBMetadata": 1, "db": "app", "collection": "c"}"#, admins),
]

private let serverCases: [AccessCase] =
    [
        "buildInfo", "buildinfo", "connectionStatus", "hello", "isMaster", "ismaster", "listCommands", "ping",
        "whatsmyuri", "authenticate", "logout", "saslContinue", "saslStart",
        "abortTransaction", "commitTransaction", "endSessions", "refreshSessions", "startSession", "currentOp",
        "killOp", "killSessions",
    ].map { AccessCase(#"{"\#($0)": 1}"#, in: "admin", everybody) } + [
        AccessCase(#"{"configureFailPoint": "x"}"#, in: "admin", hosts),
        AccessCase(#"{"connPoolStats": 1}"#, monitors),
        AccessCase(#"{"getCmdLineOpts": 1}"#, in: "admin", monitors),
        AccessCase(#"{"getDefaultRWConcern": 1}"#, in: "admin", monitors.union(managers)),
        AccessCase(#"{"getLog": "global"}"#, in: "admin", monitors),
        AccessCase(#"{"getParameter": 1}"#, in: "admin", monitors.union(hosts).union([.backup, .restore])),
        AccessCase(#"{"hostInfo": 1}"#, monitors),
        AccessCase(#"{"killAllSessions": []}"#, hosts),
        AccessCase(#"{"killAllSessionsByPattern": []}"#, hosts),
        AccessCase(#"{"replSetGetConfig": 1}"#, in: "admin", monitors.union(managers)),
        AccessCase(#"{"replSetGetStatus": 1}"#, in: "admin", monitors.union(managers)),
        AccessCase(#"{"serverStatus": 1}"#, monitors.union([.backup])),
        AccessCase(#"{"setParameter": 1}"#, in: "admin", hosts),
        AccessCase(#"{"setQuerySettings": "a"}"#, in: "admin", managers),
        AccessCase(#"{"removeQuerySettings": "a"}"#, in: "admin", managers),
    ]

private let operatorCases: [AccessCase] = [
    AccessCase(#"{"applyOps": []}"#, in: "admin", nobody),
    AccessCase(#"{"autoCompact": true}"#, in: "admin", hosts),
    AccessCase(#"{"compactStructuredEncryptionData": "c"}"#, nobody),
    AccessCase(#"{"dbHash": 1}"#, readers.subtracting([.backup])),
    AccessCase(#"{"dropConnections": 1}"#, in: "admin", hosts),
    AccessCase(#"{"fsync": 1}"#, in: "admin", hosts),
    AccessCase(#"{"fsyncUnlock": 1}"#, in: "admin", hosts),
    AccessCase(#"{"getClusterParameter": "*"}"#, in: "admin", monitors.union(managers)),
    AccessCase(#"{"getDiagnosticData": 1}"#, in: "admin", monitors),
    AccessCase(#"{"lockInfo": 1}"#, in: "admin", monitors.union([.backup])),
    AccessCase(#"{"logRotate": 1}"#, in: "admin", hosts),
    AccessCase(#"{"profile": 1}"#, admins),
    AccessCase(#"{"profile": -1}"#, admins.union([.clusterMonitor, .clusterAdmin, .backup])),
    AccessCase(#"{"rotateCertificates": 1}"#, in: "admin", hosts),
    AccessCase(#"{"setClusterParameter": {}}"#, in: "admin", managers),
    AccessCase(#"{"setDefaultRWConcern": 1}"#, in: "admin", managers),
    AccessCase(#"{"setFeatureCompatibilityVersion": "8.0"}"#, in: "admin", managers),
    AccessCase(#"{"setUserWriteBlockMode": 1}"#, in: "admin", [.backup, .restore, .root]),
    AccessCase(#"{"shutdown": 1}"#, in: "admin", hosts),
    AccessCase(#"{"top": 1}"#, in: "admin", monitors),
]

private let userCases: [AccessCase] = [
    AccessCase(#"{"createUser": "u", "pwd": "p", "roles": []}"#, userAdmins.union([.restore])),
    AccessCase(
        #"{"createUser": "u", "pwd": "p", "roles": []}"#, in: "other", [.userAdminAnyDatabase, .restore, .root]),
    AccessCase(
        #"{"createUser": "u", "pwd": "p", "roles": [{"role": "root", "db": "admin"}]}"#,
        [.userAdminAnyDatabase, .restore, .root]),
    AccessCase(
        #"{"createUser": "u", "pwd": "p", "roles": [], "authenticationRestrictions": []}"#, userAdmins),
    AccessCase(#"{"updateUser": "u", "pwd": "p"}"#, userAdmins.union([.restore])),
    AccessCase(#"{"updateUser": "u", "customData": {}}"#, userAdmins.union([.restore])),
    AccessCase(#"{"updateUser": "u", "roles": ["read"]}"#, [.userAdminAnyDatabase, .restore, .root]),
    AccessCase(#"{"dropUser": "u"}"#, userAdmins.union([.restore])),
    AccessCase(#"{"dropAllUsersFromDatabase": 1}"#, userAdmins.union([.restore])),
    AccessCase(#"{"grantRolesToUser": "u", "roles": ["read"]}"#, userAdmins.union([.restore])),
    AccessCase(
        #"{"grantRolesToUser": "u", "roles": [{"role": "root", "db": "admin"}]}"#,
        [.userAdminAnyDatabase, .restore, .root]),
    AccessCase(#"{"revokeRolesFromUser": "u", "roles": ["read"]}"#, userAdmins.union([.restore])),
    AccessCase(#"{"createRole": "r", "privileges": [], "roles": []}"#, userAdmins.union([.restore])),
    AccessCase(
        #"""
        {"createRole": "r", "privileges": [{"resource": {"anyResource": true}, "actions": ["anyAction"]}],
         "roles": []}
        """#,
        in: "admin", [.userAdminAnyDatabase, .restore, .root]),
    AccessCase(#"{"updateRole": "r", "roles": []}"#, [.userAdminAnyDatabase, .restore, .root]),
    AccessCase(#"{"dropRole": "r"}"#, userAdmins.union([.restore])),
    AccessCase(#"{"dropAllRolesFromDatabase": 1}"#, userAdmins.union([.restore])),
    AccessCase(
        #"""
        {"grantPrivilegesToRole": "r", "privileges":
         [{"resource": {"db": "app", "collection": ""}, "actions": ["find"]}]}
        """#, userAdmins.union([.restore])),
    AccessCase(
        #"""
        {"revokePrivilegesFromRole": "r", "privileges":
         [{"resource": {"db": "app", "collection": ""}, "actions": ["find"]}]}
        """#, userAdmins.union([.restore])),
    AccessCase(#"{"grantRolesToRole": "r", "roles": ["read"]}"#, userAdmins.union([.restore])),
    AccessCase(#"{"revokeRolesFromRole": "r", "roles": ["read"]}"#, userAdmins.union([.restore])),
    AccessCase(#"{"rolesInfo": 1}"#, userAdmins.union([.restore])),
    AccessCase(#"{"rolesInfo": "read"}"#, userAdmins.union([.restore, .read])),
    AccessCase(#"{"usersInfo": 1}"#, userAdmins.union([.restore])),
    AccessCase(#"{"usersInfo": {"forAllDBs": true}}"#, in: "admin", [.userAdminAnyDatabase, .restore, .root]),
    AccessCase(#"{"usersInfo": {"user": "me", "db": "app"}}"#, everybody),
    AccessCase(
        #"{"usersInfo": {"user": "me", "db": "app"}, "showCredentials": true}"#, userAdmins.union([.restore])),
    AccessCase(#"{"usersInfo": {"user": "root", "db": "app"}}"#, userAdmins.union([.restore])),
    AccessCase(
        #"{"invalidateUserCache": 1}"#, in: "admin", [.userAdminAnyDatabase, .hostManager, .clusterAdmin, .root]),
]

private let all = documentCases + collectionCases + serverCases + operatorCases + userCases

@Suite("Who may send which command")
struct AuthorizationMatrixTests {
    private func view(_ roles: [RoleName], of graph: RoleGraph = RoleGraph([])) -> AccessView {
        var record = UserRecord(name: UserName("me", in: "app"), id: [])
        record.roles = roles
        return AccessView(
            user: AuthenticatedUser(record, mechanism: "SCRAM-SHA-256", roles: graph, generation: 1), isEnforced: true)
    }

    private func allows(_ json: String, in database: String, _ view: AccessView) throws -> Bool {
        let request = try TestServer.request(json, database: database)
        return try #require(CommandTable.standard[request.name]).access.allows(request, view)
    }

    @Test("each built-in role may do what MongoDB's may", arguments: all)
    func builtInRoles(item: AccessCase) throws {
        let allowed = try BuiltInRole.allCases.filter { role in
            let name = RoleName(role.rawValue, in: role.isOfAdminOnly ? "admin" : "app")
            return try allows(item.command, in: item.database, view([name]))
        }
        #expect(Set(allowed) == item.roles)
        // Without a role nobody may do more than what everybody may.
        #expect(try !allows(item.command, in: item.database, view([])) || item.roles == everybody)
    }

    @Test("each command of the table is in the matrix, and has a rule")
    func completeness() throws {
        let covered = try Set(all.map { try TestServer.request($0.command).name })
        #expect(CommandTable.standard.all.map(\.name).filter { !covered.contains($0) } == [])
        for entry in CommandTable.standard.all {
            if case .undeclared = entry.access { Issue.record("\(entry.name) does not say who may send it") }
        }
    }

    @Test(
        "nothing more is open before a login",
        arguments: CommandTable.standard.all.filter { $0.access.isForEverybody }.map(\.name))
    func open(name: String) {
        let expected: Set = [
            "authenticate", "buildInfo", "buildinfo", "connectionStatus", "hello", "isMaster", "ismaster",
            "listCommands", "logout", "ping", "saslContinue", "saslStart", "whatsmyuri",
        ]
        #expect(expected.contains(name))
    }

    @Test("a command without a rule is for those who may do anything")
    func undeclared() throws {
        let request = try TestServer.request(#"{"new": 1}"#)
        #expect(try !CommandAccess.of("new").allows(request, view([RoleName("root", in: "admin")])))
        var role = RoleRecord(name: RoleName("almighty", in: "admin"))
        role.privileges = [Privilege(.any, [.anyAction])]
        #expect(try CommandAccess.of("new").allows(request, view([role.name], of: RoleGraph([role]))))
    }

    @Test(
        "each collection that a pipeline reads must be readable, however deep it is hidden",
        arguments: [
            #"[{"$lookup": {"from": "secret", "as": "x"}}]"#,
            #"[{"$lookup": {"from": "c", "as": "x", "pipeline": [{"$unionWith": "secret"}]}}]"#,
            #"[{"$unionWith": "secret"}]"#, #"[{"$unionWith": {"coll": "secret"}}]"#,
            #"[{"$graphLookup": {"from": "secret"}}]"#,
            #"[{"$facet": {"a": [{"$lookup": {"from": "secret", "as": "x"}}]}}]"#,
            #"[{"$unionWith": {"coll": "c", "pipeline": [{"$facet": {"a": [{"$unionWith": "secret"}]}}]}}]"#,
            #"[{"$documents": []}, {"$unionWith": "secret"}]"#, #"[{"$out": "secret"}]"#, #"[{"$merge": "secret"}]"#,
            #"[{"$merge": {"into": "c", "into": "secret"}}]"#, #"[{"$out": {"db": "app", "coll": "secret"}}]"#,
            #"[{"$match": {}}, {"$merge": {"into": {"db": "app", "coll": "secret"}}}]"#,
        ])
    func pipelines(pipeline: String) throws {
        var role = RoleRecord(name: RoleName("reader", in: "admin"))
        role.privileges = [Privilege(.collection("app", "c"), [.find, .insert, .update, .remove])]
        let view = view([role.name], of: RoleGraph([role]))
        #expect(try allows(#"{"aggregate": "c", "pipeline": [{"$unionWith": "c"}, {"$out": "c"}]}"#, in: "app", view))
        #expect(try !allows(#"{"aggregate": "c", "pipeline": \#(pipeline)}"#, in: "app", view))
        #expect(try !allows(#"{"explain": {"aggregate": "c", "pipeline": \#(pipeline)}}"#, in: "app", view))
        guard !pipeline.contains("$out"), !pipeline.contains("$merge") else { return }
        role.privileges = [Privilege(.collection("app", "c"), [.find]), Privilege(.collection("app", "v"), [.insert])]
        let maker = self.view([role.name], of: RoleGraph([role]))
        #expect(try allows(#"{"create": "v", "viewOn": "c", "pipeline": []}"#, in: "app", maker))
        #expect(try !allows(#"{"create": "v", "viewOn": "c", "pipeline": \#(pipeline)}"#, in: "app", maker))
        // What is made must not be read by who made it.
        role.privileges = [Privilege(.collection("app", "v"), [.createCollection])]
        let blind = self.view([role.name], of: RoleGraph([role]))
        #expect(try allows(#"{"create": "v", "viewOn": "c", "pipeline": \#(pipeline)}"#, in: "app", blind))
        role.privileges = [Privilege(.collection("app", "v"), [.createCollection, .find])]
        let seeing = self.view([role.name], of: RoleGraph([role]))
        #expect(try !allows(#"{"create": "v", "viewOn": "c", "pipeline": \#(pipeline)}"#, in: "app", seeing))
    }

    @Test("a collection cannot be renamed into one that may be read")
    func renaming() throws {
        var role = RoleRecord(name: RoleName("renamer", in: "admin"))
        role.privileges = [
            Privilege(.collection("app", ""), [.renameCollectionSameDB]),
            Privilege(.collection("app", "mine"), [.find]),
        ]
        let view = view([role.name], of: RoleGraph([role]))
        #expect(try allows(#"{"renameCollection": "app.a", "to": "app.b"}"#, in: "admin", view))
        #expect(try !allows(#"{"renameCollection": "app.a", "to": "app.mine"}"#, in: "admin", view))
        #expect(
            try !allows(#"{"renameCollection": "app.a", "to": "app.b", "dropTarget": true}"#, in: "admin", view))
    }

    @Test("an upsert needs the right to insert")
    func upserts() throws {
        var role = RoleRecord(name: RoleName("updater", in: "admin"))
        role.privileges = [Privilege(.collection("app", "c"), [.find, .update])]
        let view = view([role.name], of: RoleGraph([role]))
        #expect(try allows(#"{"update": "c", "updates": [{"q": {}, "u": {}}]}"#, in: "app", view))
        #expect(try !allows(#"{"update": "c", "updates": [{}, {"q": {}, "u": {}, "upsert": 1}]}"#, in: "app", view))
        #expect(try !allows(#"{"findAndModify": "c", "update": {}, "upsert": true}"#, in: "app", view))
        #expect(
            try !allows(
                #"{"bulkWrite": 1, "ops": [{"update": 0, "upsert": true}], "nsInfo": [{"ns": "app.c"}]}"#, in: "admin",
                view))
        let sequence = DocumentSequenceArgument(
            identifier: "updates", documents: [Document { $0.append("upsert", bool: true) }])
        let request = try CommandRequest(
            body: TestServer.request(#"{"update": "c"}"#, database: "app").body, sequences: [sequence])
        #expect(try !CommandAccess.of("update").allows(request, view))
    }

    @Test("one's own password is one's own business only if a role says so")
    func ownPassword() throws {
        var role = RoleRecord(name: RoleName("own", in: "admin"))
        role.privileges = [Privilege(.collection("app", ""), [.changeOwnPassword])]
        let view = view([role.name], of: RoleGraph([role]))
        #expect(try allows(#"{"updateUser": "me", "pwd": "x"}"#, in: "app", view))
        #expect(try !allows(#"{"updateUser": "you", "pwd": "x"}"#, in: "app", view))
        #expect(try !allows(#"{"updateUser": "me", "customData": {}}"#, in: "app", view))
        #expect(try !allows(#"{"updateUser": "me", "pwd": "x", "roles": ["dbOwner"]}"#, in: "app", view))
        #expect(try !allows(#"{"updateUser": "me", "pwd": "x"}"#, in: "app", self.view([])))
    }
}
