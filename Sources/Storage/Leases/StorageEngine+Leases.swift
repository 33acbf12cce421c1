internal import Postgres
package import SQL

extension StorageEngine {
    /// The new token, or nil while another holds the lease.
    func acquireLease(
        _ name: String, holder: String, milliseconds: Int64
    ) async throws(StorageError) -> Int64? {
        let parameters: [Parameter] = [.text(name), .text(holder), .int8(milliseconds)]
        return try await integer(Statement("SELECT martlet.acquire_lease($1, $2, $3)", parameters))
    }

    func renewLease(_ lease: LeaseToken, milliseconds: Int64) async throws(StorageError) -> Bool {
        let parameters: [Parameter] = [.text(lease.name), .int8(lease.number), .int8(milliseconds)]
        return try await integer(Statement("SELECT martlet.renew_lease($1, $2, $3)::integer", parameters)) == 1
    }

    func releaseLease(_ lease: LeaseToken) async throws(StorageError) {
        let parameters: [Parameter] = [.text(lease.name), .int8(lease.number)]
        _ = try await integer(Statement("SELECT martlet.release_lease($1, $2)", parameters))
    }

    /// A write of a background job; see ``Connection/execute(_:under:)``.
    package func execute(_ statement: Statement, under lease: LeaseToken) async throws(StorageError) -> Int {
        try await general.withConnection { connection throws(StorageError) in
            do throws(PostgresError) {
                return try connection.execute(statement, under: lease)
            } catch { throw .postgres(error) }
        }
    }

    private func integer(_ statement: Statement) async throws(StorageError) -> Int64? {
        try await general.withConnection { connection throws(StorageError) in
            do throws(PostgresError) {
                return try connection.execute(statement).int8(row: 0, column: 0)
            } catch { throw .postgres(error) }
        }
    }
}
