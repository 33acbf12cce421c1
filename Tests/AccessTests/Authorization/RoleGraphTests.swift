import BSON
import CommandModel
import Testing

@testable import Access

@Suite("Roles that inherit from roles")
struct RoleGraphTests {
    private func role(_ name: String, _ roles: [RoleName] = [], _ privileges: [Privilege] = []) -> RoleRecord {
        var role = RoleRecord(name: RoleName(name, in: "admin"))
        (role.roles, role.privileges) = (roles, privileges)
        return role
    }

    private func name(_ name: String) -> RoleName { RoleName(name, in: "admin") }

    @Test("privileges come from all roles on the way")
    func inheritance() {
        let graph = RoleGraph([
            role("top", [name("middle")]), role("middle", [name("bottom"), RoleName("read", in: "x")]),
            role("bottom", [], [Privilege(.collection("y", "c"), [.insert])]),
        ])
        #expect(graph.closure(of: [name("top")]).map(\.name) == ["top", "middle", "bottom", "read"])
        #expect(graph.inherited(by: [name("top")]).map(\.name) == ["middle", "bottom", "read"])
        let privileges = graph.privileges(of: [name("top")])
        #expect(privileges.allows(.find, on: .collection(Namespace(database: "x", collection: "any"))))
        #expect(privileges.allows(.insert, on: .collection(Namespace(database: "y", collection: "c"))))
        #expect(!privileges.allows(.insert, on: .collection(Namespace(database: "x", collection: "any"))))
    }

    @Test("a role that inherits from itself is refused")
    func cycles() throws {
        let graph = RoleGraph([role("a", [name("b")]), role("b", [name("c")]), role("c")])
        #expect(throws: CommandError.self) { try graph.checkAcyclic(name("c"), inheriting: [name("a")]) }
        #expect(throws: CommandError.self) { try graph.checkAcyclic(name("c"), inheriting: [name("c")]) }
        try graph.checkAcyclic(name("a"), inheriting: [name("c"), name("b")])
    }

    @Test("a circle that is there all the same ends the walk")
    func circle() {
        let graph = RoleGraph([role("a", [name("b")]), role("b", [name("a")])])
        #expect(graph.closure(of: [name("a")]).count == 2)
    }

    @Test("a role that does not exist gives nothing")
    func missing() {
        let graph = RoleGraph([])
        #expect(graph.privileges(of: [name("ghost"), RoleName("root", in: "test")]).all.isEmpty)
        #expect(throws: CommandError.self) { try graph.checkExists([name("ghost")]) }
        #expect(throws: CommandError.self) { try graph.checkExists([RoleName("root", in: "test")]) }
        #expect(throws: Never.self) { try graph.checkExists([name("root"), RoleName("read", in: "test")]) }
    }

    @Test("names are bytes", arguments: [("caf\u{E9}", "cafe\u{301}"), ("read", "read\u{200D}"), ("a", "A")])
    func names(left: String, right: String) {
        #expect(RoleName(left, in: "admin") != RoleName(right, in: "admin"))
        #expect(RoleName("x", in: left) != RoleName("x", in: right))
        #expect(Set([RoleName(left, in: "admin"), RoleName(right, in: "admin")]).count == 2)
        #expect(BuiltInRole(RoleName(right, in: "admin")) == nil)
    }

    @Test("user and role records come back as they were written")
    func records() throws {
        var user = UserRecord(name: UserName("u", in: "admin"), id: Array(0..<16))
        user.roles = [RoleName("read", in: "x"), name("own")]
        user.customData = Document { $0.append("a", int32: 1) }
        user.credentials = try ScramMechanism.allCases.map { mechanism in
            ScramCredentials(
                try PreparedPassword("p", of: "u", for: mechanism), mechanism: mechanism, salt: [1, 2], iterations: 1)
        }
        let restrictions = try Document(
            extendedJSON: #"{"r": [{"clientSource": ["10.0.0.0/8", "::1"], "serverAddress": ["127.0.0.1"]}]}"#)
        try restrictions.withRaw { raw throws(CommandError) in
            if let value = raw["r"] { user.restrictions = try AuthenticationRestrictions(value) }
        }
        let read = try UserRecord(name: user.name, id: user.id, document: user.document)
        #expect(read.document == user.document)
        #expect(read.credentials == user.credentials)
        #expect(read.restrictions == user.restrictions)
        var role = self.role("r", [RoleName("read", in: "x")], [Privilege(.any, [.anyAction])])
        role.restrictions = user.restrictions
        #expect(try RoleRecord(name: role.name, document: role.document).document == role.document)
    }

    @Test("damaged credentials are no credentials")
    func damaged() throws {
        let document = try Document(
            extendedJSON: #"{"credentials": {"SCRAM-SHA-256": {"iterationCount": 1, "storedKey": "AA=="}}}"#)
        #expect(throws: CommandError.self) {
            try UserRecord(name: UserName("u", in: "admin"), id: [], document: document)
        }
    }

    @Test("no role but root and the user administrators may touch users", arguments: BuiltInRole.allCases)
    func userRights(role: BuiltInRole) {
        let privileges = PrivilegeSet(role.privileges(in: role.isOfAdminOnly ? "admin" : "x"))
        let expected: Set<BuiltInRole> = [.userAdmin, .dbOwner, .userAdminAnyDatabase, .restore, .root]
        #expect(privileges.allows(.createUser, on: .database("x")) == expected.contains(role))
        #expect(privileges.allows(.grantRole, on: .database("x")) == expected.contains(role))
        let beyond: Set<BuiltInRole> = [.userAdminAnyDatabase, .restore, .root]
        #expect(privileges.allows(.createUser, on: .database("y")) == beyond.contains(role))
        #expect(!privileges.allows(.anyAction, on: .cluster))
        #expect(!privileges.allows(.internal, on: .cluster))
    }
}
