package import Postgres
package import SQL

/// A short read, on its way to a reader thread.
package enum ReadRequest: Sendable {
    case point(PointRead)
    case rows(RowsRead)
}

/// One statement that gives few rows, which whoever asked looks through.
package struct RowsRead: Sendable {
    let statement: Statement
    /// Checked before the read begins.
    let deadline: Deadline
    let continuation: UnsafeContinuation<Result<StatementResult, StorageError>, Never>
}

/// Runs the short reads that arrived together as one pipeline: one round trip for all of them.
///
/// The obvious place for a `find` by a secondary index is the general pool, where a request has a connection for
/// itself. But it takes PostgreSQL little longer than a lookup by `_id`, and a thread to wake, two switches of tasks
/// and two calls of the kernel for each are then a good part of its cost, as is planning: only statements by key may
/// keep one plan. Measured, ten documents of 1.2 kB by an index take 180 µs of processor time here, 305 there. In
/// exchange nothing may run long, since those behind it wait, and nothing can be cancelled once it was sent. So only
/// plans come whose rows all count, up to a bound, and the rows go out as they came: filters, projections and whatever
/// else may take its time run elsewhere.
package struct ReadWorker: DatabaseWorker {
    package typealias Request = ReadRequest

    package init() {}

    package func run(_ requests: [ReadRequest], on connection: Connection) {
        var points: [PointRead] = []
        var rows: [RowsRead] = []
        for request in requests where !request.isTooLate {
            switch request {
            case .point(let read): points.append(read)
            case .rows(let read): rows.append(read)
            }
        }
        let lookups = PointReads(points)
        lookups.enqueue(on: connection)
        // A sync for each: one that fails takes no other with it.
        for read in rows {
            connection.enqueue(read.statement)
            connection.enqueueSync()
        }
        lookups.receive(from: connection)
        for read in rows { receive(read, from: connection) }
    }

    package func fail(_ requests: [ReadRequest], with error: PostgresError) {
        for request in requests { request.fail(.postgres(error)) }
    }

    private func receive(_ read: RowsRead, from connection: Connection) {
        let result: Result<StatementResult, StorageError>
        do throws(PostgresError) {
            result = .success(try connection.next())
        } catch {
            result = .failure(.postgres(error))
        }
        read.continuation.resume(returning: result)
        // As with lookups: the read has its answer, whatever comes.
        _ = try? connection.nextSync()
    }
}

extension ReadRequest {
    /// Answers a read that has waited for longer than it may.
    fileprivate var isTooLate: Bool {
        let deadline =
            switch self {
            case .point(let read): read.deadline
            case .rows(let read): read.deadline
            }
        guard let failure = deadline.failure else { return false }
        fail(.command(failure))
        return true
    }

    fileprivate func fail(_ error: StorageError) {
        switch self {
        case .point(let read): read.continuation.resume(returning: .failure(error))
        case .rows(let read): read.continuation.resume(returning: .failure(error))
        }
    }
}
