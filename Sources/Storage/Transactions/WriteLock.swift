package import CommandModel
internal import Postgres

/// The lock of `fsync`: while it is held nobody changes a document, neither through this server nor through another one
/// on the database, nor by SQL. Reads go on.
///
/// PostgreSQL holds it: a transaction of its own has the tables of all collections, and the catalog, in SHARE mode. To
/// get it is to wait for the writes under way; who writes meanwhile waits as for any lock. It ends with its
/// connection: a lock that was lost is told at the next call, and never answered as held.
package actor WriteLock {
    private let lanes: TransactionLanes
    private let catalog: Catalog
    private var transaction: OpenTransaction?
    /// How often it was asked for, and not given back.
    package private(set) var count: Int64 = 0

    init(lanes: TransactionLanes, catalog: Catalog) {
        self.lanes = lanes
        self.catalog = catalog
    }

    /// - Parameter milliseconds: how long to wait for writes under way.
    /// - Returns: how often it is held now.
    package func lock(
        waiting milliseconds: Int32, until deadline: Deadline
    ) async throws(CommandError) -> Int64 {
        if let transaction {
            try await check(transaction)
            count += 1
            return count
        }
        let new = try await acquire(milliseconds, deadline)
        // Somebody else may have come first meanwhile; the two do not exclude each other.
        if transaction == nil { transaction = new } else { await new.abort() }
        count += 1
        return count
    }

    /// - Returns: how often it is still held; nil when it was not.
    package func unlock() async -> Int64? {
        guard let transaction, count > 0 else { return nil }
        count -= 1
        if count == 0 {
            self.transaction = nil
            await transaction.abort()
        }
        return count
    }

    /// For the end of the server.
    package func release() async {
        while let left = await unlock(), left > 0 {}
    }

    private func check(_ transaction: OpenTransaction) async throws(CommandError) {
        do throws(StorageError) {
            try await transaction.run(["SHOW lock_timeout"], until: .never)
        } catch {
            self.transaction = nil
            count = 0
            throw CommandError(
                .operationFailed, "the lock was lost with its connection to PostgreSQL: writes have gone on since")
        }
    }

    private func acquire(_ milliseconds: Int32, _ deadline: Deadline) async throws(CommandError) -> OpenTransaction {
        let transaction = try await OpenTransaction.open(on: lanes, isolation: .snapshot)
        do throws(StorageError) {
            // No collection comes or goes from here on. LOCK takes no snapshot, so that what is asked of the catalog
            // afterwards, on another connection, is complete, and VACUUM is not held up elsewhere.
            try await transaction.run(
                [
                    "SET LOCAL lock_timeout = \(max(1, milliseconds))", "SET LOCAL statement_timeout = 0",
                    "SET LOCAL idle_in_transaction_session_timeout = 0",
                    "LOCK TABLE martlet.collections IN SHARE MODE",
                ], until: deadline)
            let tables = try await catalog.documentTables()
            if !tables.isEmpty {
                try await transaction.run(
                    ["LOCK TABLE \(tables.joined(separator: ", ")) IN SHARE MODE"], until: deadline)
            }
            return transaction
        } catch {
            await transaction.abort()
            if case .postgres(let cause) = error, cause.category == .conflict {
                throw CommandError(.lockTimeout, "timed out while waiting for the writes under way")
            }
            throw CommandError(error)
        }
    }
}

extension OpenTransaction {
    fileprivate func run(_ statements: [String], until deadline: Deadline) async throws(StorageError) {
        try await withConnection(until: deadline) { connection throws(StorageError) in
            for statement in statements { _ = try CatalogSQL.execute(statement, [], on: connection) }
        }
    }
}

extension Catalog {
    /// The tables of documents of all collections.
    fileprivate func documentTables() async throws(StorageError) -> [String] {
        try await pool.withConnection { connection throws(StorageError) in
            let rows = try CatalogSQL.execute(
                "SELECT number FROM martlet.collections WHERE kind <> 'view' ORDER BY number", [], on: connection)
            return (0..<rows.rowCount).compactMap { row in
                rows.int8(row: row, column: 0).map { "martlet.documents_\($0)" }
            }
        }
    }
}
