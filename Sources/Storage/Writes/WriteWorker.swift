internal import BSON
internal import CommandModel
internal import NIOCore
package import Postgres
internal import SQL

/// Runs groups of single-document writes on a writer thread: the thin shell around ``WriteBatch``.
package struct WriteWorker: DatabaseWorker {
    package typealias Request = WriteRequest

    package init() {}

    package func run(_ requests: [WriteRequest], on connection: Connection) {
        execute(requests, on: connection, attempt: 1)
    }

    package func fail(_ requests: [WriteRequest], with error: PostgresError) {
        for request in requests { request.answer(.failure(.postgres(error))) }
    }

    private func execute(_ requests: [WriteRequest], on connection: Connection, attempt: Int) {
        var batch = WriteBatch(requests)
        while !batch.isFinished {
            guard batch.round < WriteBatch.roundsMax else {
                for request in batch.openRequests { request.answer(.failure(.command(.lostTooManyRaces))) }
                return
            }
            do throws(PostgresError) {
                for answer in try runRound(&batch, on: connection) {
                    requests[answer.request].answer(answer.result)
                }
            } catch {
                _ = connection.restoreIdle()
                recover(batch.openRequests, from: error, on: connection, attempt: attempt)
                return
            }
        }
    }

    /// The transaction of the group is rolled back. Whose fault it was is not known, so each write is tried alone;
    /// one that is alone already is tried again when the reason may pass, and else fails.
    private func recover(
        _ requests: [WriteRequest], from error: PostgresError, on connection: Connection, attempt: Int
    ) {
        if error.category == .connection { return fail(requests, with: error) }
        if requests.count > 1 {
            for request in requests { execute([request], on: connection, attempt: attempt) }
        } else if error.isPassing, attempt < Backoff.attemptsMax {
            Backoff.pause(attempt: attempt)
            execute(requests, on: connection, attempt: attempt + 1)
        } else {
            fail(requests, with: error)
        }
    }

    private func runRound(
        _ batch: inout WriteBatch, on connection: Connection
    ) throws(PostgresError) -> [(request: Int, result: Result<DocumentOutcome, StorageError>)] {
        // A group of plain inserts has nothing to load, and so takes one round trip in all.
        if !batch.lanes.isEmpty {
            enqueueLoads(batch, on: connection)
            try receiveLoads(&batch, from: connection)
            batch.fold()
        }
        let steps = batch.steps
        for step in steps { connection.enqueue(batch.statement(of: step)) }
        connection.enqueueSync()
        let (inserted, lost) = try receiveStores(steps, of: batch, from: connection)
        try connection.nextSync()
        return batch.committed(insertedRows: inserted, lost: lost)
    }

    private func enqueueLoads(_ batch: WriteBatch, on connection: Connection) {
        for lane in batch.lanes {
            let text = batch.locksRows ? lane.collection.sql.readLocked : lane.collection.sql.readVersion
            connection.enqueue(Statement(text, [.bytea(lane.key)]))
        }
    }

    private func receiveLoads(_ batch: inout WriteBatch, from connection: Connection) throws(PostgresError) {
        for index in batch.lanes.indices {
            let result = try connection.next()
            guard result.rowCount > 0, let version = result.uint32(row: 0, column: 1),
                let bytes = result.bytes(row: 0, column: 2)
            else { continue }
            batch.loaded(lane: index, version: version, document: Document(unchecked: ByteBuffer(bytes: bytes)))
        }
    }

    private func receiveStores(
        _ steps: [WriteBatch.Step], of batch: WriteBatch, from connection: Connection
    ) throws(PostgresError) -> (inserted: [Bool], lost: Set<Int>) {
        var inserted = [Bool](repeating: false, count: batch.inserts.count)
        var lost: Set<Int> = []
        for step in steps {
            let tookEffect = try connection.next().affectedRows > 0
            switch step {
            case .insert(let position): inserted[position] = tookEffect
            case .lane(let index): if !tookEffect { lost.insert(index) }
            }
        }
        return (inserted, lost)
    }
}

extension WriteBatch {
    fileprivate func statement(of step: Step) -> Statement {
        switch step {
        case .insert(let position): statement(of: requests[inserts[position]])
        case .lane(let index): statement(of: lanes[index])
        }
    }

    private func statement(of request: WriteRequest) -> Statement {
        guard case .insert(let document) = request.kind else { preconditionFailure("a lane's write among the inserts") }
        return Statement(request.collection.sql.insert, [.bytea(request.key), .bytea(document.buffer)])
    }

    private func statement(of lane: Lane) -> Statement {
        let sql = lane.collection.sql
        switch lane.store {
        case .nothing: preconditionFailure("a step of a lane that stores nothing")
        case .insert(let document): return Statement(sql.insert, [.bytea(lane.key), .bytea(document.buffer)])
        case .update(let document, let version):
            return Statement(sql.update, [.bytea(lane.key), .bytea(document.buffer), .xid(version)])
        case .delete(let version): return Statement(sql.delete, [.bytea(lane.key), .xid(version)])
        }
    }

    /// The requests without an answer.
    var openRequests: [WriteRequest] {
        (inserts + lanes.flatMap(\.requests)).map { requests[$0] }
    }
}
