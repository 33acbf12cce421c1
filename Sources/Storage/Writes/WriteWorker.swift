internal import BSON
internal import CommandModel
internal import Metrics
internal import NIOCore
package import Postgres
internal import SQL

/// Runs groups of single-document writes on a writer thread: the thin shell around ``WriteBatch``.
package struct WriteWorker: DatabaseWorker {
    package typealias Request = WriteRequest

    private let strategy: WriteStrategy
    private let metrics: StorageMetrics

    package init(strategy: WriteStrategy = .hybrid, metrics: StorageMetrics = StorageMetrics()) {
        self.strategy = strategy
        self.metrics = metrics
    }

    package func run(_ requests: [WriteRequest], on connection: Connection) {
        let isLate = requests.contains { $0.deadline.hasPassed }
        for group in WriteBatch.groups(of: isLate ? requests.filter { !$0.isTooLate() } : requests) {
            execute(Array(group), on: connection, Attempt())
        }
    }

    /// How often the requests have been tried, and whether locks are known to be in the way.
    private struct Attempt {
        var number = 1
        var isWary = false
    }

    package func fail(_ requests: [WriteRequest], with error: PostgresError) {
        for request in requests { request.answer(.failure(.postgres(error))) }
    }

    private func execute(_ requests: [WriteRequest], on connection: Connection, _ attempt: Attempt) {
        var batch = WriteBatch(requests, strategy: strategy, isWary: attempt.isWary)
        while !batch.isFinished {
            guard batch.hasRoundsLeft else {
                for request in batch.openRequests { request.answer(.failure(.command(.lostTooManyRaces))) }
                return
            }
            // Others wait behind this thread in the hybrid strategy, so that it never sleeps over a lost race.
            if strategy == .optimistic, batch.round > 0 { Backoff.pause(attempt: batch.round) }
            do throws(PostgresError) {
                for answer in try runRound(&batch, on: connection) {
                    requests[answer.request].answer(answer.result)
                }
            } catch {
                _ = connection.restoreIdle()
                if let refusal = batch.duplicateKey(error) {
                    for request in batch.openRequests { request.answer(.failure(.command(refusal))) }
                    return
                }
                recover(batch.openRequests, from: error, on: connection, attempt)
                return
            }
        }
    }

    /// The transaction of the group is rolled back. Whose fault it was is not known, so each write is tried alone;
    /// one that is alone already is tried again when the reason may pass, and else fails.
    ///
    /// Locked documents are no fault: the group goes on without them, and they come again later.
    private func recover(
        _ requests: [WriteRequest], from error: PostgresError, on connection: Connection, _ attempt: Attempt
    ) {
        var attempt = attempt
        if error.category == .connection { return fail(requests, with: error) }
        metrics.retried(error.state)
        if error.state == .lockNotAvailable, !attempt.isWary {
            attempt.isWary = true
            execute(requests, on: connection, attempt)
        } else if requests.count > 1 {
            for request in requests { execute([request], on: connection, attempt) }
        } else if error.isPassing, error.state != .lockNotAvailable, attempt.number < Backoff.attemptsMax {
            Backoff.pause(attempt: attempt.number)
            attempt.number += 1
            execute(requests, on: connection, attempt)
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
        note(batch.lanes, lost)
        return batch.committed(insertedRows: inserted, lost: lost)
    }

    private func note(_ lanes: [WriteBatch.Lane], _ lost: Set<Int>) {
        if !lost.isEmpty { metrics.casLost.count(lost.count) }
        for (index, lane) in lanes.enumerated() where !lane.isBlocked {
            let isLost = lost.contains(index)
            if !isLost { metrics.laneDepth.record(lane.requests.count) }
            guard isLost || lane.requests.count > 1 else { continue }
            metrics.hotDocuments.note(
                lane.collection.namespace, key: lane.key, writes: lane.requests.count, document: lane.loaded)
        }
    }

    private func enqueueLoads(_ batch: WriteBatch, on connection: Connection) {
        for lane in batch.lanes {
            let sql = lane.collection.sql
            let texts =
                switch batch.reading {
                case .optimistic: [sql.readVersion]
                case .locking: [sql.readLocked]
                case .wary: [sql.readUnlocked, sql.readVersion]
                }
            for text in texts { connection.enqueue(Statement(text, [.bytea(lane.key)])) }
        }
    }

    private func receiveLoads(_ batch: inout WriteBatch, from connection: Connection) throws(PostgresError) {
        var bytesHeld = 0
        for index in batch.lanes.indices {
            let isFound = Self.take(try connection.next(), into: &batch, lane: index, &bytesHeld)
            guard batch.reading == .wary else { continue }
            let isThere = try connection.next().rowCount > 0
            if isThere, !isFound { batch.blocked(lane: index) }
        }
    }

    private static func take(
        _ result: borrowing StatementResult, into batch: inout WriteBatch, lane: Int, _ bytesHeld: inout Int
    ) -> Bool {
        guard result.rowCount > 0, let version = result.uint32(row: 0, column: 1),
            let bytes = result.bytes(row: 0, column: 2)
        else { return false }
        guard bytesHeld < WriteBatch.bytesMax else {
            batch.deferred(lane: lane)
            return true
        }
        bytesHeld += bytes.count
        batch.loaded(lane: lane, version: version, document: Document(unchecked: ByteBuffer(bytes: bytes)))
        return true
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
        return request.collection.sql.insert.statement(
            [.bytea(request.key), .bytea(document.buffer)], recording: request.insertRecording.map { [$0] } ?? [],
            changing: request.keys)
    }

    private func statement(of lane: Lane) -> Statement {
        let (sql, key, claims, keys) = (lane.collection.sql, lane.key, lane.recordings, lane.keys)
        switch lane.store {
        // Inserted and removed again within the group.
        case .nothing: return claims.statement
        case .insert(let document):
            return sql.insert.statement(
                [.bytea(key), .bytea(document.buffer)], recording: claims, changing: keys)
        case .update(let document, let version):
            return sql.update.statement(
                [.bytea(key), .bytea(document.buffer), .xid(version)], recording: claims, changing: keys)
        case .delete(let version):
            return sql.delete.statement([.bytea(key), .xid(version)], recording: claims, changing: keys)
        }
    }

    /// The requests without an answer.
    var openRequests: [WriteRequest] {
        (inserts + lanes.flatMap(\.requests)).map { requests[$0] }
    }
}
