internal import BSON
internal import CommandModel
internal import NIOCore
internal import Postgres

/// A group of single-document writes that share one transaction and so one WAL flush: the pure half.
///
/// # What it guarantees
///
/// 1. Every write is applied to the newest committed version of its document, checks its filter against that very
///    version, and is answered only after the commit. Nothing is lost, whoever else writes.
/// 2. All writes of one document in the group become one new version, each with its own result and its own error,
///    in the order of arrival.
/// 3. A write that fails fails alone; the others of its lane and of the group go on.
///
/// # The obvious design, and why not
///
/// One transaction per write (`SELECT … FOR UPDATE`, compute, `UPDATE`, `COMMIT`) is right, but each write then costs
/// two round trips and a WAL flush of its own, and the writers of one hot document queue behind each other's flush: on
/// a disk that flushes in 0.5 ms no more than 2,000 a second, however many clients. Holding row locks over a round
/// trip makes it worse.
///
/// # The design
///
/// A writer thread takes everything that has arrived while it was busy. Writes of one document form a *lane*. The
/// group then goes through these steps, each one pipeline:
///
///     load     read (version, document) of every lane               no locks are held afterwards
///     fold     apply a lane's writes in memory, in arrival order    one new document, or removal, or nothing
///     store    INSERT / UPDATE … WHERE xmin = version / DELETE …    in the order of (table, key); then commit
///
/// A store that touches no row has lost a race against another server (or against an insert of the same `_id`): its
/// lane goes through the steps again, alone responsible for its own writes, because the others are committed. After
/// ``optimisticRoundsMax`` lost races the lane is read `FOR UPDATE`, so that it must win.
///
/// Plain inserts need no lane: they join the store step blind, with `ON CONFLICT DO NOTHING`, and no row means
/// DuplicateKey.
///
/// Locks are taken in the order of (table, key) only, inserts and lanes together, so two groups do not deadlock on
/// documents. (In a locked round an insert into a gap can still come after the lock of a later row; PostgreSQL breaks
/// such a deadlock, and the loser's writes are tried one by one.)
struct WriteBatch {
    struct Lane {
        let collection: Collection
        let key: ByteBuffer
        var requests: [Int]
        var version: UInt32?
        var loaded: Document?
        var store: Store = .nothing
        var outcomes: [Result<DocumentOutcome, StorageError>] = []

        var storesNothing: Bool {
            if case .nothing = store { return true }
            return false
        }
    }

    enum Store {
        case nothing
        case insert(Document)
        case update(Document, version: UInt32)
        case delete(version: UInt32)
    }

    /// One write of the store step.
    enum Step: Equatable {
        /// A position in ``inserts``.
        case insert(Int)
        /// A position in ``lanes``.
        case lane(Int)
    }

    static let optimisticRoundsMax = 3
    static let roundsMax = 32

    /// The lanes that are not committed yet, in lock order.
    private(set) var lanes: [Lane] = []
    /// Indices of the plain inserts, in lock order.
    private(set) var inserts: [Int] = []
    private(set) var round = 0
    let requests: [WriteRequest]

    init(_ requests: [WriteRequest]) {
        self.requests = requests
        var laneOf: [LaneKey: Int] = [:]
        for (index, request) in requests.enumerated() {
            guard case .modify = request.kind else {
                inserts.append(index)
                continue
            }
            let laneKey = LaneKey(collection: request.collection.number, key: request.key)
            if let lane = laneOf[laneKey] {
                lanes[lane].requests.append(index)
            } else {
                laneOf[laneKey] = lanes.count
                lanes.append(Lane(collection: request.collection, key: request.key, requests: [index]))
            }
        }
        lanes.sort { Self.precedes($0.collection, $0.key, $1.collection, $1.key) }
        inserts.sort {
            let (left, right) = (requests[$0], requests[$1])
            return Self.precedes(left.collection, left.key, right.collection, right.key)
        }
    }

    var locksRows: Bool { round >= Self.optimisticRoundsMax }
    var isFinished: Bool { lanes.isEmpty && inserts.isEmpty }

    mutating func loaded(lane: Int, version: UInt32, document: Document) {
        lanes[lane].version = version
        lanes[lane].loaded = document
    }

    /// Applies the writes of every lane to what was loaded.
    mutating func fold() {
        for index in lanes.indices { fold(lane: index) }
    }

    private mutating func fold(lane index: Int) {
        var current = lanes[index].loaded
        var isChanged = false
        var outcomes: [Result<DocumentOutcome, StorageError>] = []
        outcomes.reserveCapacity(lanes[index].requests.count)
        for request in lanes[index].requests {
            guard case .modify(let operation) = requests[request].kind else { continue }
            do throws(CommandError) {
                let (effect, outcome) = try Self.apply(operation, to: current)
                switch effect {
                case .unchanged: break
                case .store(let document): (current, isChanged) = (document, true)
                case .remove: (current, isChanged) = (nil, true)
                }
                outcomes.append(.success(outcome))
            } catch {
                outcomes.append(.failure(.command(error)))
            }
        }
        lanes[index].outcomes = outcomes
        lanes[index].store = isChanged ? Self.store(current, over: lanes[index].version) : .nothing
    }

    private static func apply(
        _ operation: DocumentOperation, to current: Document?
    ) throws(CommandError) -> (DocumentOperation.Effect, DocumentOutcome) {
        guard let current else { return try operation.apply(to: nil) }
        return try current.withRaw { raw throws(CommandError) in try operation.apply(to: raw) }
    }

    private static func store(_ document: Document?, over version: UInt32?) -> Store {
        switch (document, version) {
        case (let document?, let version?): .update(document, version: version)
        case (let document?, nil): .insert(document)
        case (nil, let version?): .delete(version: version)
        case (nil, nil): .nothing  // inserted and removed within the group
        }
    }

    /// The writes of the store step in lock order. Of one key, the plain insert comes first.
    var steps: [Step] {
        var steps: [Step] = []
        steps.reserveCapacity(inserts.count + lanes.count)
        var insert = 0
        for (index, lane) in lanes.enumerated() {
            while insert < inserts.count, !precedes(lane, requests[inserts[insert]]) {
                steps.append(.insert(insert))
                insert += 1
            }
            if !lane.storesNothing { steps.append(.lane(index)) }
        }
        steps += (insert..<inserts.count).map { .insert($0) }
        return steps
    }

    private func precedes(_ lane: Lane, _ request: WriteRequest) -> Bool {
        Self.precedes(lane.collection, lane.key, request.collection, request.key)
    }

    /// The transaction is committed: gives the answers of the plain inserts and of all lanes but the `lost` ones,
    /// which stay for another round.
    mutating func committed(
        insertedRows: [Bool], lost: Set<Int>
    ) -> [(request: Int, result: Result<DocumentOutcome, StorageError>)] {
        var answers: [(request: Int, result: Result<DocumentOutcome, StorageError>)] = []
        for (position, request) in inserts.enumerated() {
            answers.append((request, insertedRows[position] ? .success(DocumentOutcome()) : duplicate(request)))
        }
        inserts = []
        var remaining: [Lane] = []
        for (index, lane) in lanes.enumerated() {
            if lost.contains(index) {
                remaining.append(Lane(collection: lane.collection, key: lane.key, requests: lane.requests))
            } else {
                answers += zip(lane.requests, lane.outcomes).map { ($0, $1) }
            }
        }
        lanes = remaining
        round += 1
        return answers
    }

    private func duplicate(_ request: Int) -> Result<DocumentOutcome, StorageError> {
        guard case .insert(let document) = requests[request].kind else { return .success(DocumentOutcome()) }
        return .failure(.command(.duplicateID(in: requests[request].collection.namespace, document: document)))
    }

    private static func precedes(
        _ left: Collection, _ leftKey: ByteBuffer, _ right: Collection, _ rightKey: ByteBuffer
    ) -> Bool {
        if left.number != right.number { return left.number < right.number }
        return leftKey.readableBytesView.lexicographicallyPrecedes(rightKey.readableBytesView)
    }
}

private struct LaneKey: Hashable {
    let collection: Int64
    let key: ByteBuffer
}
