internal import BSON
internal import CommandModel
internal import NIOCore
package import Postgres
internal import SQL

/// Runs groups of single-document writes on a writer thread: the thin shell around ``WriteBatch``.
package struct WriteWorker: DatabaseWorker {
    package typealias Request = WriteRequest

    /// Attempts of one write whose transaction PostgreSQL refused for a passing reason.
    static let attemptsMax = 10

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
        } else if error.isPassing, attempt < Self.attemptsMax {
            Backoff.pause(attempt: attempt)
            execute(requests, on: connection, attempt: attempt + 1)
        } else {
            fail(requests, with: error)
        }
    }

    private func runRound(
        _ batch: inout WriteBatch, on connection: Connection
    ) throws(PostgresError) -> [(request: Int, result: Result<DocumentOutcome, StorageError>)] {
        enqueueLoads(batch, on: connection)
        for insert in batch.plainInserts {
            connection.enqueue(
                Statement(insert.collection.sql.insert, [.bytea(insert.key), .bytea(insert.document.buffer)]))
        }
        // Nothing to compute between load and store: the commit travels with the inserts, one round trip in all.
        if batch.lanes.isEmpty { connection.enqueueSync() }
        try receiveLoads(&batch, from: connection)
        var insertedRows: [Bool] = []
        for _ in batch.inserts.indices { insertedRows.append(try connection.next().affectedRows > 0) }
        var lost: Set<Int> = []
        if !batch.lanes.isEmpty {
            batch.fold()
            enqueueStores(batch, on: connection)
            connection.enqueueSync()
            lost = try receiveStores(batch, from: connection)
        }
        try connection.nextSync()
        return batch.committed(insertedRows: insertedRows, lost: lost)
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

    private func enqueueStores(_ batch: WriteBatch, on connection: Connection) {
        for lane in batch.lanes {
            let sql = lane.collection.sql
            switch lane.store {
            case .nothing: continue
            case .insert(let document):
                connection.enqueue(Statement(sql.insert, [.bytea(lane.key), .bytea(document.buffer)]))
            case .update(let document, let version):
                connection.enqueue(
                    Statement(sql.update, [.bytea(lane.key), .bytea(document.buffer), .xid(version)]))
            case .delete(let version):
                connection.enqueue(Statement(sql.delete, [.bytea(lane.key), .xid(version)]))
            }
        }
    }

    private func receiveStores(
        _ batch: WriteBatch, from connection: Connection
    ) throws(PostgresError) -> Set<Int> {
        var lost: Set<Int> = []
        for (index, lane) in batch.lanes.enumerated() {
            if case .nothing = lane.store { continue }
            if try connection.next().affectedRows == 0 { lost.insert(index) }
        }
        return lost
    }
}

extension WriteBatch {
    var plainInserts: [(collection: Collection, key: ByteBuffer, document: Document)] {
        inserts.compactMap { index in
            guard case .insert(let document) = requests[index].kind else { return nil }
            return (requests[index].collection, requests[index].key, document)
        }
    }

    /// The requests without an answer.
    var openRequests: [WriteRequest] {
        (inserts + lanes.flatMap(\.requests)).map { requests[$0] }
    }
}
