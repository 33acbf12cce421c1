import Postgres
import SQL
import SchemaSQL
import Synchronization
import Testing

@testable import Storage

extension DatabaseTests {
    @Suite struct MigratorTests {
        private func versions(_ database: ConnectionOptions) throws -> [Int64] {
            let result = try Connection.connect(database).execute(
                Statement("SELECT version::bigint FROM martlet.schema_migrations ORDER BY version"))
            return (0..<result.rowCount).compactMap { result.int8(row: $0, column: 0) }
        }

        @Test("running again changes nothing")
        func idempotent() throws {
            let database = try TestServer.emptyDatabase()
            for _ in 0..<3 { try Migrator.run(on: Connection.connect(database), logger: TestServer.logger) }
            #expect(try versions(database) == SchemaSQL.migrations.map { Int64($0.version) })
        }

        @Test("servers that start together apply each migration once")
        func atOnce() async throws {
            let database = try TestServer.emptyDatabase()
            try await concurrently(6) { _ in
                try Migrator.run(on: Connection.connect(database), logger: TestServer.logger)
            }
            #expect(try versions(database) == SchemaSQL.migrations.map { Int64($0.version) })
        }

        @Test("a schema newer than the program is refused, and left alone")
        func tooNew() throws {
            let database = try TestServer.database()
            let connection = try Connection.connect(database)
            try connection.execute(
                script: "INSERT INTO martlet.schema_migrations (version, name) VALUES (1000000, 'later')")
            #expect(throws: Migrator.Failure.self) {
                try Migrator.run(on: Connection.connect(database), logger: TestServer.logger)
            }
            #expect(try versions(database).last == 1_000_000)
        }
    }
}
