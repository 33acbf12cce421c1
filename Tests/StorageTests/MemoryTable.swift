import BSON
import CommandModel
import NIOCore

@testable import Storage

/// A documents table in memory: what ``WriteWorker`` does with PostgreSQL, step by step, so that a test can put another
/// writer between any two of them.
struct MemoryTable {
    private(set) var rows: [ByteBuffer: (version: UInt32, document: Document)] = [:]
    private var lastVersion: UInt32 = 100

    mutating func put(_ document: Document) {
        lastVersion += 1
        rows[document.key] = (lastVersion, document)
    }

    mutating func remove(_ key: ByteBuffer) { rows[key] = nil }

    var texts: [String] { rows.values.map(\.document.text).sorted() }

    func load(_ batch: inout WriteBatch) {
        for (index, lane) in batch.lanes.enumerated() {
            guard let row = rows[lane.key] else { continue }
            batch.loaded(lane: index, version: row.version, document: row.document)
        }
        batch.fold()
    }

    /// Stores what the batch wants, and commits.
    mutating func store(_ batch: inout WriteBatch) -> [Int: Result<DocumentOutcome, StorageError>] {
        var inserted = [Bool](repeating: false, count: batch.inserts.count)
        var lost: Set<Int> = []
        lastVersion += 1
        for step in batch.steps {
            switch step {
            case .insert(let position):
                let request = batch.requests[batch.inserts[position]]
                guard case .insert(let document) = request.kind, rows[request.key] == nil else { continue }
                rows[request.key] = (lastVersion, document)
                inserted[position] = true
            case .lane(let index):
                if !apply(batch.lanes[index]) { lost.insert(index) }
            }
        }
        let answers = batch.committed(insertedRows: inserted, lost: lost)
        return Dictionary(uniqueKeysWithValues: answers.map { ($0.request, $0.result) })
    }

    private mutating func apply(_ lane: WriteBatch.Lane) -> Bool {
        switch lane.store {
        case .nothing: return true
        case .insert(let document):
            guard rows[lane.key] == nil else { return false }
            rows[lane.key] = (lastVersion, document)
        case .update(let document, let version):
            guard rows[lane.key]?.version == version else { return false }
            rows[lane.key] = (lastVersion, document)
        case .delete(let version):
            guard rows[lane.key]?.version == version else { return false }
            rows[lane.key] = nil
        }
        return true
    }

    /// Whole rounds until the batch is finished; `interfering` runs between load and store.
    mutating func run(
        _ batch: inout WriteBatch, interfering: (inout MemoryTable, Int) -> Void = { _, _ in }
    ) -> [Int: Result<DocumentOutcome, StorageError>] {
        var answers: [Int: Result<DocumentOutcome, StorageError>] = [:]
        while !batch.isFinished, batch.round < WriteBatch.roundsMax {
            load(&batch)
            // A locked row cannot be changed by anybody else.
            if batch.reading == .optimistic { interfering(&self, batch.round) }
            answers.merge(store(&batch)) { first, _ in first }
        }
        return answers
    }
}

/// A write as a test names it: its `_id` and what to do.
struct PlannedWrite: Sendable {
    let collection: Storage.Collection
    let key: ByteBuffer
    let kind: WriteRequest.Kind

    static let collections = (1...2).map { number in
        Storage.Collection(
            namespace: namespace("c\(number)"), number: Int64(number), uuid: [UInt8](repeating: 0, count: 16),
            options: .empty)
    }

    static func insert(_ document: String, collection: Int = 1) -> PlannedWrite {
        let document = json(document)
        return PlannedWrite(collection: collections[collection - 1], key: document.key, kind: .insert(document))
    }

    static func modify(_ operation: DocumentOperation, id: String, collection: Int = 1) -> PlannedWrite {
        PlannedWrite(
            collection: collections[collection - 1], key: StorageTests.key(id), kind: .modify(operation))
    }

    static func update(
        _ id: String, _ update: String, and rest: String = "", upsert: Bool = false, collection: Int = 1
    ) throws -> PlannedWrite {
        .modify(
            try .update("{\"_id\": \(id)\(rest.isEmpty ? "" : ", ")\(rest)}", update, upsert: upsert), id: id,
            collection: collection)
    }

    static func delete(_ id: String, collection: Int = 1) throws -> PlannedWrite {
        .modify(try .delete("{\"_id\": \(id)}"), id: id, collection: collection)
    }
}

/// Gives `body` a batch of real requests, each with a task that awaits its answer, and answers them afterwards.
func withBatch(
    _ writes: [PlannedWrite], _ body: @escaping @Sendable (inout WriteBatch) throws -> Void
) async throws {
    let arrived = Shared<[Int: WriteRequest]>([:])
    try await withThrowingTaskGroup(of: Void.self) { group in
        for (index, write) in writes.enumerated() {
            group.addTask {
                let _: Result<DocumentOutcome, StorageError> = await withUnsafeContinuation { continuation in
                    let request = WriteRequest(
                        collection: write.collection, key: write.key, kind: write.kind, continuation: continuation)
                    arrived.update { $0[index] = request }
                }
            }
        }
        while arrived.value.count < writes.count { await Task.yield() }
        let requests = arrived.update { arrived in arrived.keys.sorted().compactMap { arrived[$0] } }
        defer { for request in requests { request.answer(.success(DocumentOutcome())) } }
        var batch = WriteBatch(requests)
        try body(&batch)
    }
}
