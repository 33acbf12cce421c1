package import Postgres

/// Work that needs a connection for itself: scans, writes by filter, DDL.
package struct GeneralRequest: Sendable {
    let run: @Sendable (Connection) -> Void
    let fail: @Sendable (PostgresError) -> Void
}

/// Runs one request at a time on its thread; such a pool wakes a thread per request.
package struct GeneralWorker: DatabaseWorker {
    package typealias Request = GeneralRequest

    package init() {}

    package func run(_ requests: [GeneralRequest], on connection: Connection) {
        for request in requests { request.run(connection) }
    }

    package func fail(_ requests: [GeneralRequest], with error: PostgresError) {
        for request in requests { request.fail(error) }
    }
}

extension DatabasePool where Worker == GeneralWorker {
    /// Runs `body` on a thread of the pool with its connection.
    func withConnection<R: Sendable>(
        _ body: @escaping @Sendable (Connection) throws(StorageError) -> R
    ) async throws(StorageError) -> R {
        let result: Result<R, StorageError> = await withUnsafeContinuation { continuation in
            let request = GeneralRequest(
                run: { connection in
                    do throws(StorageError) {
                        let value = try body(connection)
                        continuation.resume(returning: .success(value))
                    } catch {
                        continuation.resume(returning: .failure(error))
                    }
                },
                fail: { continuation.resume(returning: .failure(.postgres($0))) })
            self.submit(request)
        }
        return try result.get()
    }
}
