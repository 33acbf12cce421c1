package import Postgres
package import SQL

/// What a write of a background job carries: the right to do it, as far as the sender knows.
package struct LeaseToken: Sendable, Equatable {
    package let name: String
    package let number: Int64

    package init(name: String, number: Int64) {
        self.name = name
        self.number = number
    }
}

extension SQLState {
    /// `martlet.check_lease`: the lease has moved on.
    package static let leaseMovedOn = SQLState("MT002")
}

extension Connection {
    /// Runs a write under a lease: one transaction with the check of its token, in one sync group. Nothing has happened
    /// when it throws ``SQLState/leaseMovedOn``.
    ///
    /// - Returns: the rows it affected.
    package func execute(_ statement: Statement, under lease: LeaseToken) throws(PostgresError) -> Int {
        enqueue(Statement("SELECT martlet.check_lease($1, $2)", [.text(lease.name), .int8(lease.number)]))
        enqueue(statement)
        enqueueSync()
        let result: Result<Int, PostgresError>
        do throws(PostgresError) {
            _ = try next()
            result = .success(try next().affectedRows)
        } catch {
            result = .failure(error)
        }
        try nextSync()
        return try result.get()
    }
}
