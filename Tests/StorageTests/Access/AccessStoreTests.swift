import Access
import BSON
import CommandModel
import NIOCore
import Postgres
import Testing

@testable import Storage

extension DatabaseTests {
    @Suite("Users and roles in the catalog") struct AccessStoreTests {
        private func store() throws -> TestStore { try TestStore(TestServer.database()) }

        private func user(_ name: String, in database: String = "admin", roles: [RoleName] = []) -> UserRecord {
            var user = UserRecord(name: UserName(name, in: database), id: (0..<16).map { _ in .random(in: 0...255) })
            user.roles = roles
            return user
        }

        private func put(_ users: [UserRecord], _ roles: [RoleRecord] = [], in store: TestStore) async throws {
            try await store.engine.access.change { transaction throws(StorageError) in
                for user in users { try transaction.put(user) }
                for role in roles { try transaction.put(role) }
            }
        }

        @Test("users come back, by name and by database")
        func users() async throws {
            let store = try store()
            let access = store.engine.access
            #expect(try await !access.hasAnybody())
            // The same to the eye, and in each other's database.
            let users = [user("caf\u{E9}"), user("cafe\u{301}"), user("a", in: "x"), user("x", in: "a"), user("A")]
            try await put(users, in: store)
            #expect(try await access.hasAnybody())
            for expected in users {
                #expect(try await access.user(expected.name)?.id == expected.id)
            }
            #expect(try await access.user(UserName("nobody", in: "admin")) == nil)
            #expect(try await access.user(UserName("a\u{0}", in: "x")) == nil)
            #expect(try await access.users(of: "x").map(\.name.name) == ["a"])
            #expect(try await access.users(of: nil).count == 5)
        }

        @Test("each change makes a new generation, a look at them does not")
        func generations() async throws {
            let store = try store()
            let access = store.engine.access
            let first = try await access.generation()
            try await put([user("u")], in: store)
            #expect(try await access.generation() == first + 1)
            _ = try await access.change { transaction throws(StorageError) in
                try transaction.user(UserName("u", in: "admin"))
            }
            #expect(try await access.generation() == first + 1)
        }

        @Test("a change that fails leaves nothing behind")
        func rollback() async throws {
            let store = try store()
            let (access, user) = (store.engine.access, user("u"))
            await #expect(throws: StorageError.self) {
                try await access.change { transaction throws(StorageError) in
                    try transaction.put(user)
                    throw .command(CommandError(.badValue, "no"))
                }
            }
            #expect(try await !access.hasAnybody())
        }

        @Test("a role that is dropped is taken from all who had it")
        func droppedRoles() async throws {
            let store = try store()
            let access = store.engine.access
            var (inner, outer) = (
                RoleRecord(name: RoleName("inner", in: "x")), RoleRecord(name: RoleName("outer", in: "admin"))
            )
            inner.roles = [RoleName("read", in: "x")]
            outer.roles = [inner.name, RoleName("read", in: "y")]
            try await put([user("u", roles: [inner.name, outer.name])], [inner, outer], in: store)
            let dropped = inner.name
            let count = try await access.change { transaction throws(StorageError) in
                try transaction.dropRoles([dropped])
            }
            #expect(count == 1)
            #expect(try await access.user(UserName("u", in: "admin"))?.roles == [outer.name])
            #expect(try await access.roles()[outer.name]?.roles == [RoleName("read", in: "y")])
            #expect(try await access.roles()[dropped] == nil)
        }

        @Test("two servers that change one user lose no change")
        func concurrent() async throws {
            let database = try TestServer.database()
            let (one, other) = (try TestStore(database), try TestStore(database))
            try await put([user("u")], in: one)
            try await concurrently(20) { number in
                try await (number.isMultiple(of: 2) ? one : other).engine.access.change {
                    transaction throws(StorageError) in
                    guard var user = try transaction.user(UserName("u", in: "admin")) else { return }
                    user.roles.append(RoleName("role\(number)", in: "x"))
                    try transaction.put(user)
                }
            }
            #expect(try await one.engine.access.user(UserName("u", in: "admin"))?.roles.count == 20)
        }

        @Test("the secret is one for all servers, and another in each database")
        func secret() async throws {
            let database = try TestServer.database()
            let (one, other) = (try TestStore(database), try TestStore(database))
            let secret = try await one.engine.access.secret()
            #expect(secret.count == 32)
            #expect(try await other.engine.access.secret() == secret)
            let elsewhere = try store()
            #expect(try await elsewhere.engine.access.secret() != secret)
        }

        @Test("a session of a user is guarded apart from that of another one")
        func sessions() throws {
            let uuid = [UInt8](0..<16)
            let keys = [nil, [1, 2], [3]].map { owner in
                RetryIdentity(session: LogicalSessionID(uuid: uuid, owner: owner), number: 1).key
            }
            #expect(Set(keys.map { Array($0.readableBytesView) }).count == 3)
        }
    }
}
