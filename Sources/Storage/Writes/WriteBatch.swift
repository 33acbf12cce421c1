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
/// An insert that is alone with its key needs no lane: it joins the store step blind, with `ON CONFLICT DO NOTHING`,
/// and no row means DuplicateKey.
///
/// A write that carries a claim (``GuardState``) is recorded by the very statement that stores its document, and only
/// if that takes effect: a lane that loses its race records nothing. A claim that is refused ends the transaction; the
/// writes of the group are then tried one by one, and the refused one alone fails.
///
/// A document may be locked by a client's transaction, for seconds. The group must not wait for that, so a lock wait is
/// cut short (`lock_timeout`), and the group starts over *warily*: it locks what is free and leaves the rest out. Those
/// writes are answered "locked", and come again, warily, until the transaction is over.
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
        var keys = KeyChanges()
        var recordings: [ClaimedResult] = []
        var outcomes: [Result<DocumentOutcome, StorageError>] = []
        /// Another transaction holds the document: nothing is done to it in this group.
        var isBlocked = false
        /// Too much was loaded before it: its turn is the next round.
        var isDeferred = false

        /// What is to be changed in the tables of keys when `new` takes the place of `old`.
        func keyChanges(from old: Document?, to new: Document?) throws(StorageError) -> KeyChanges {
            guard collection.hasIndexes else { return KeyChanges() }
            return try KeyChanges(from: old, to: new, in: collection)
        }

        mutating func fail(with error: StorageError) {
            outcomes = requests.map { _ in .failure(error) }
            (store, keys, recordings) = (.nothing, KeyChanges(), [])
        }

        var storesNothing: Bool {
            if case .nothing = store { return recordings.isEmpty }
            return false
        }
    }

    /// How the present versions are read.
    enum Reading: Equatable {
        /// Without locks: the store step finds out who was faster.
        case optimistic
        /// With locks, waiting for them.
        case locking
        /// With locks on what is not locked by others; a second, plain read tells an absent document from a locked one.
        case wary
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
    /// Documents of more bytes are not held in one round, and not brought along by the inserts of one group. So a round
    /// takes four of the largest at least, and all of a group are done within ``roundsMax``.
    static let bytesMax = 64 * 1024 * 1024
    static let optimisticOnlyRoundsMax = 10_000

    /// The lanes that are not committed yet, in lock order.
    private(set) var lanes: [Lane] = []
    /// Indices of the plain inserts, in lock order.
    private(set) var inserts: [Int] = []
    private(set) var round = 0
    let requests: [WriteRequest]
    private let strategy: WriteStrategy
    private let isWary: Bool

    init(_ requests: [WriteRequest], strategy: WriteStrategy = .hybrid, isWary: Bool = false) {
        self.requests = requests
        self.strategy = strategy
        self.isWary = isWary || requests.contains(where: \.meetsLocks)
        formLanes()
        lanes.sort { Self.precedes($0.collection, $0.key, $1.collection, $1.key) }
        inserts.sort {
            let (left, right) = (requests[$0], requests[$1])
            return Self.precedes(left.collection, left.key, right.collection, right.key)
        }
    }

    private mutating func formLanes() {
        var laneOf: [LaneKey: Int] = [:]
        laneOf.reserveCapacity(requests.count)
        for (index, request) in requests.enumerated() {
            let laneKey = LaneKey(collection: request.collection.number, key: request.key)
            if let lane = laneOf[laneKey] {
                lanes[lane].requests.append(index)
            } else {
                laneOf[laneKey] = lanes.count
                lanes.append(Lane(collection: request.collection, key: request.key, requests: [index]))
            }
        }
        // A lane that is nothing but one insert is none.
        lanes.removeAll { lane in
            guard lane.requests.count == 1, case .insert = requests[lane.requests[0]].kind else { return false }
            inserts.append(lane.requests[0])
            return true
        }
    }

    var reading: Reading {
        if isWary { return .wary }
        switch strategy {
        case .hybrid: return round >= Self.optimisticRoundsMax ? .locking : .optimistic
        case .optimistic: return .optimistic
        case .pessimistic: return .locking
        }
    }

    var hasRoundsLeft: Bool { round < (strategy == .optimistic ? Self.optimisticOnlyRoundsMax : Self.roundsMax) }
    var isFinished: Bool { lanes.isEmpty && inserts.isEmpty }

    mutating func loaded(lane: Int, version: UInt32, document: Document) {
        lanes[lane].version = version
        lanes[lane].loaded = document
    }

    /// Cuts what has arrived into groups, each bounded by the bytes that its inserts bring along.
    static func groups(of requests: [WriteRequest]) -> [ArraySlice<WriteRequest>] {
        var groups: [ArraySlice<WriteRequest>] = []
        var (start, bytes) = (0, 0)
        for (index, request) in requests.enumerated() {
            guard case .insert(let document) = request.kind else { continue }
            if bytes + document.count > bytesMax, index > start {
                groups.append(requests[start..<index])
                (start, bytes) = (index, 0)
            }
            bytes += document.count
        }
        groups.append(requests[start...])
        return groups
    }

    mutating func deferred(lane: Int) { lanes[lane].isDeferred = true }

    /// Another transaction has locked the lane's document.
    mutating func blocked(lane: Int) { lanes[lane].isBlocked = true }

    /// Applies the writes of every lane to what was loaded.
    mutating func fold() {
        for index in lanes.indices where !lanes[index].isBlocked && !lanes[index].isDeferred { fold(lane: index) }
    }

    private mutating func fold(lane index: Int) {
        var current = lanes[index].loaded
        var isChanged = false
        var outcomes: [Result<DocumentOutcome, StorageError>] = []
        outcomes.reserveCapacity(lanes[index].requests.count)
        var recordings: [ClaimedResult] = []
        for position in lanes[index].requests {
            let request = requests[position]
            do throws(StorageError) {
                let (effect, outcome) = try Self.apply(request, to: current)
                switch effect {
                case .unchanged: break
                case .store(let document):
                    // Each write is refused by itself; the lane's changes of keys are those of all together.
                    if lanes[index].requests.count > 1 {
                        _ = try lanes[index].keyChanges(from: current, to: document)
                    }
                    (current, isChanged) = (document, true)
                case .remove: (current, isChanged) = (nil, true)
                }
                if let recording = request.recording(of: outcome) { recordings.append(recording) }
                outcomes.append(.success(outcome))
            } catch {
                outcomes.append(.failure(error))
            }
        }
        lanes[index].outcomes = outcomes
        lanes[index].recordings = recordings
        guard isChanged else {
            (lanes[index].store, lanes[index].keys) = (.nothing, KeyChanges())
            return
        }
        lanes[index].store = Self.store(current, over: lanes[index].version)
        do throws(StorageError) {
            lanes[index].keys = try lanes[index].keyChanges(from: lanes[index].loaded, to: current)
        } catch {
            lanes[index].fail(with: error)
        }
    }

    private static func apply(
        _ request: WriteRequest, to current: Document?
    ) throws(StorageError) -> (DocumentOperation.Effect, DocumentOutcome) {
        do throws(CommandError) { return try effect(of: request, on: current) } catch { throw .command(error) }
    }

    private static func effect(
        of request: WriteRequest, on current: Document?
    ) throws(CommandError) -> (DocumentOperation.Effect, DocumentOutcome) {
        switch request.kind {
        case .insert(let document):
            guard current == nil else {
                throw .duplicateID(in: request.collection.namespace, document: document)
            }
            return (.store(document), .inserted)
        case .modify(let operation):
            guard let current else { return try operation.apply(to: nil, in: request.collection) }
            return try current.withRaw { raw throws(CommandError) in
                try operation.apply(to: raw, in: request.collection)
            }
        }
    }

    private static func store(_ document: Document?, over version: UInt32?) -> Store {
        switch (document, version) {
        case (let document?, let version?): .update(document, version: version)
        case (let document?, nil): .insert(document)
        case (nil, let version?): .delete(version: version)
        case (nil, nil): .nothing  // inserted and removed within the group
        }
    }

    /// The writes of the store step in lock order. No key has both a plain insert and a lane.
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
            answers.append((request, insertedRows[position] ? .success(.inserted) : duplicate(request)))
        }
        inserts = []
        var remaining: [Lane] = []
        for (index, lane) in lanes.enumerated() {
            if lane.isBlocked {
                answers += lane.requests.map { ($0, .failure(.postgres(.lockedByTransaction))) }
            } else if lane.isDeferred || lost.contains(index) {
                remaining.append(Lane(collection: lane.collection, key: lane.key, requests: lane.requests))
            } else {
                answers += zip(lane.requests, lane.outcomes).map { ($0, $1) }
            }
        }
        lanes = remaining
        round += 1
        return answers
    }

    /// What a unique index has against the only write of the group; nil when that is not what is wrong.
    func duplicateKey(_ error: PostgresError) -> CommandError? {
        if let only = inserts.first, inserts.count == 1, lanes.isEmpty {
            guard case .insert(let document) = requests[only].kind else { return nil }
            return requests[only].collection.duplicateKey(error, storing: document)
        }
        guard let lane = lanes.first, lanes.count == 1, inserts.isEmpty, lane.requests.count == 1 else { return nil }
        switch lane.store {
        case .insert(let document), .update(let document, _):
            return lane.collection.duplicateKey(error, storing: document)
        case .nothing, .delete: return nil
        }
    }

    private func duplicate(_ request: Int) -> Result<DocumentOutcome, StorageError> {
        guard case .insert(let document) = requests[request].kind else { return .success(.inserted) }
        return .failure(.command(.duplicateID(in: requests[request].collection.namespace, document: document)))
    }

    private static func precedes(
        _ left: Collection, _ leftKey: ByteBuffer, _ right: Collection, _ rightKey: ByteBuffer
    ) -> Bool {
        if left.number != right.number { return left.number < right.number }
        return leftKey.readableBytesView.lexicographicallyPrecedes(rightKey.readableBytesView)
    }
}

/// How a document is protected from two writers: ``hybrid`` is the design above; the others exist to be measured
/// against it, with one write per transaction.
package enum WriteStrategy: String, Sendable, CaseIterable {
    case hybrid
    /// Compare-and-swap, and back-off after a lost race.
    case optimistic
    /// A row lock from the read to the commit.
    case pessimistic
}

extension WriteRequest {
    /// What is to be recorded for its claim.
    fileprivate func recording(of outcome: DocumentOutcome) -> ClaimedResult? {
        let tally = WriteTally(outcome)
        guard let claim, tally.hasEffect else { return nil }
        guard case .insert = kind else { return ClaimedResult(claim, [.statement(claim.statement, tally)]) }
        return insertRecording
    }

    /// What is to be recorded when the insert takes effect.
    var insertRecording: ClaimedResult? {
        claim.map { ClaimedResult($0, [.inserts(first: $0.statement, count: 1)]) }
    }
}

extension DocumentOutcome {
    static var inserted: DocumentOutcome { DocumentOutcome(modified: true) }
}

extension PostgresError {
    static let lockedByTransaction = PostgresError(
        .server, "the document is locked by another transaction", state: .lockNotAvailable)
}

private struct LaneKey: Hashable {
    let collection: Int64
    let key: ByteBuffer
}
