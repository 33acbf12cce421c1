package import Postgres

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Work that needs a connection for itself: scans, writes by filter, DDL.
package struct GeneralRequest: Sendable {
    let run: @Sendable (Connection) -> Void
    let fail: @Sendable (PostgresError) -> Void
}

/// Runs one request at a time on its thread; such a pool wakes a thread per request.
package struct GeneralWorker: DatabaseWorker {
    package typealias Request = GeneralRequest

    /// Added to the niceness of the backends, where they run on this machine and belong to us.
    private let backendNiceness: Int32

    package init(backendNiceness: Int32 = 0) {
        self.backendNiceness = backendNiceness
    }

    package func connected(_ connection: Connection) throws(PostgresError) {
        guard backendNiceness > 0 else { return }
        // A priority that we may not set is none that anything depends on.
        _ = setpriority(
            __priority_which_t(PRIO_PROCESS.rawValue), id_t(bitPattern: connection.backendPID), backendNiceness)
    }

    package func run(_ requests: [GeneralRequest], on connection: Connection) {
        for request in requests { request.run(connection) }
    }

    package func fail(_ requests: [GeneralRequest], with error: PostgresError) {
        for request in requests { request.fail(error) }
    }
}

extension DatabasePool where Worker == GeneralWorker {
    /// Runs `body` on a thread of the pool with its connection.
    ///
    /// - Parameter deadline: when it has passed before a connection is free, `body` does not run; when it passes
    ///   while `body` runs, PostgreSQL is asked to cancel the statement, whichever it is.
    func withConnection<R: Sendable>(
        until deadline: Deadline = .never, _ body: @escaping @Sendable (Connection) throws(StorageError) -> R
    ) async throws(StorageError) -> R {
        try deadline.check()
        deadline.note(pool: options.name)
        let result: Result<R, StorageError> = await withUnsafeContinuation { answer in
            submit(
                GeneralRequest(
                    answering: answer, until: deadline,
                    run: { connection in Result { () throws(StorageError) in try body(connection) } },
                    fail: { .failure(.postgres($0)) }))
        }
        return try result.get()
    }
}

extension GeneralRequest {
    /// A request that gives exactly one answer: that of `run` or of `fail`, or, when the deadline passes before either
    /// of them is called, the deadline's; then neither is called.
    init<R: Sendable>(
        answering answer: UnsafeContinuation<Result<R, StorageError>, Never>, until deadline: Deadline,
        run: @escaping @Sendable (Connection) -> Result<R, StorageError>,
        fail: @escaping @Sendable (PostgresError) -> Result<R, StorageError>
    ) {
        guard !deadline.isNever else {
            self.run = { answer.resume(returning: run($0)) }
            self.fail = { answer.resume(returning: fail($0)) }
            return
        }
        let work = CancellableWork {
            answer.resume(returning: .failure(.command(deadline.failure ?? .timeLimitExceeded)))
        }
        self.run = { connection in
            guard work.begin(on: connection) else { return deadline.unwatch(work) }
            let result = run(connection).mapError(deadline.explaining)
            work.end(on: connection)
            deadline.unwatch(work)
            answer.resume(returning: result)
        }
        self.fail = { error in
            defer { deadline.unwatch(work) }
            if work.begin(on: nil) { answer.resume(returning: fail(error)) }
        }
        deadline.watch(work)
    }
}
