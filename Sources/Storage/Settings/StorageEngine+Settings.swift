package import BSON
package import CommandModel
internal import Postgres
internal import SQL

// What operators have set for all servers on the database: documents by name, in `martlet.settings`.
extension StorageEngine {
    /// Attempts of one change among changes by others.
    private static let settingChangesMax = 20

    /// By their names.
    package func settings() async throws(StorageError) -> [String: Document] {
        try await general.withConnection { connection throws(StorageError) in
            let rows = try CatalogSQL.execute("SELECT name, value FROM martlet.settings", [], on: connection)
            var settings: [String: Document] = [:]
            for row in 0..<rows.rowCount {
                guard let name = rows.text(row: row, column: 0),
                    let value = rows.bytes(row: row, column: 1).flatMap(RawDocument.init)
                else { continue }
                settings[name] = Document(copying: value)
            }
            return settings
        }
    }

    /// Changes one setting, as if nobody else did at the same time.
    ///
    /// - Parameter change: makes the new value out of the present one; called again when somebody else was faster.
    package func changeSetting(
        _ name: String, _ change: @escaping @Sendable (Document?) throws(CommandError) -> Document
    ) async throws(CommandError) -> Document {
        try await mapped { () async throws(StorageError) in
            try await general.withConnection { connection throws(StorageError) in
                for _ in 0..<Self.settingChangesMax {
                    let old = try Self.setting(name, on: connection)
                    let new: Document
                    do throws(CommandError) { new = try change(old) } catch { throw .command(error) }
                    if new == old { return new }
                    if try Self.replaceSetting(name, old, by: new, on: connection) { return new }
                }
                throw .command(CommandError(.writeConflict, "the setting \(name) was changed again and again"))
            }
        }
    }

    private static func setting(_ name: String, on connection: Connection) throws(StorageError) -> Document? {
        let rows = try CatalogSQL.execute(
            "SELECT value FROM martlet.settings WHERE name = $1", [.text(name)], on: connection)
        guard rows.rowCount > 0 else { return nil }
        return rows.bytes(row: 0, column: 0).flatMap(RawDocument.init).map { Document(copying: $0) }
    }

    /// - Returns: false when the setting is not what it was.
    private static func replaceSetting(
        _ name: String, _ old: Document?, by new: Document, on connection: Connection
    ) throws(StorageError) -> Bool {
        guard let old else {
            return try CatalogSQL.execute(
                "INSERT INTO martlet.settings (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING name",
                [.text(name), .bytea(new.buffer)], on: connection
            ).rowCount > 0
        }
        return try CatalogSQL.execute(
            """
            UPDATE martlet.settings SET value = $2, changed_at = now() WHERE name = $1 AND value = $3 RETURNING name
            """, [.text(name), .bytea(new.buffer), .bytea(old.buffer)], on: connection
        ).rowCount > 0
    }
}
