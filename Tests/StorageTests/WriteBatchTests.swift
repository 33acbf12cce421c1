import BSON
import CommandModel
import NIOCore
import Query
import Testing

@testable import Storage

/// The pure half of the writers, event by event.
@Suite struct WriteBatchTests {
    @Test("writes of one document share a lane, in the order of arrival")
    func lanes() async throws {
        let writes: [PlannedWrite] = [
            try .update("2", #"{"$inc": {"n": 1}}"#), try .update("1", #"{"$inc": {"n": 1}}"#),
            try .update("2", #"{"$inc": {"n": 2}}"#), try .update("1", #"{"$inc": {"n": 1}}"#, collection: 2),
            .insert(#"{"_id": 9}"#), try .delete("2"), .insert(#"{"_id": 8}"#),
        ]
        try await withBatch(writes) { batch in
            #expect(batch.lanes.map(\.requests) == [[1], [0, 2, 5], [3]])
            #expect(batch.lanes.map(\.collection.number) == [1, 1, 2])
            #expect(batch.inserts == [6, 4])
            #expect(!batch.isFinished)
        }
    }

    @Test("equal numbers of different types are one lane")
    func numericLane() async throws {
        let writes: [PlannedWrite] = [
            try .update("1", #"{"$inc": {"n": 1}}"#), try .update("1.0", #"{"$inc": {"n": 1}}"#),
        ]
        try await withBatch(writes) { batch in #expect(batch.lanes.map(\.requests) == [[0, 1]]) }
    }

    @Test("a lane becomes one version, and each write checks its filter against what the one before it left")
    func fold() async throws {
        let writes: [PlannedWrite] = [
            try .update("1", #"{"$set": {"state": "taken", "by": "a"}}"#, and: #""state": "free""#),
            try .update("1", #"{"$set": {"state": "taken", "by": "b"}}"#, and: #""state": "free""#),
            try .update("1", #"{"$set": {"by": "a"}}"#),
        ]
        try await withBatch(writes) { batch in
            var table = MemoryTable()
            table.put(json(#"{"_id": 1, "state": "free"}"#))
            table.load(&batch)
            guard case .update(let document, version: 101) = batch.lanes[0].store else {
                Issue.record("\(batch.lanes[0].store)")
                return
            }
            #expect(document.text == #"{"_id":1,"state":"taken","by":"a"}"#)
            let answers = table.store(&batch)
            #expect((0..<3).map { answers.outcome($0)?.matched } == [true, false, true])
            #expect((0..<3).map { answers.outcome($0)?.modified } == [true, false, false])
            #expect(batch.isFinished)
        }
    }

    @Test("a write that fails leaves the others of its lane and of the group")
    func errorInLane() async throws {
        let writes: [PlannedWrite] = [
            try .update("1", #"{"$inc": {"n": 1}}"#), try .update("1", #"{"$inc": {"name": 1}}"#),
            try .update("1", #"{"$inc": {"n": 1}}"#), try .update("2", #"{"$inc": {"n": 1}}"#),
        ]
        try await withBatch(writes) { batch in
            var table = MemoryTable()
            table.put(json(#"{"_id": 1, "n": 0, "name": "x"}"#))
            table.put(json(#"{"_id": 2, "n": 0}"#))
            let answers = table.run(&batch)
            #expect(answers.code(1) == 14)
            #expect([0, 2, 3].map { answers.outcome($0)?.modified } == [true, true, true])
            #expect(table.texts == [#"{"_id":1,"n":2,"name":"x"}"#, #"{"_id":2,"n":1}"#])
        }
    }

    @Test("a lost race requeues its own lane alone, and every answer is given once")
    func lostRace() async throws {
        let writes: [PlannedWrite] = [
            .insert(#"{"_id": 0}"#), try .update("1", #"{"$inc": {"n": 1}}"#), try .update("2", #"{"$inc": {"n": 1}}"#),
            try .update("1", #"{"$inc": {"n": 1}}"#),
        ]
        try await withBatch(writes) { batch in
            var table = MemoryTable()
            table.put(json(#"{"_id": 1, "n": 0}"#))
            table.put(json(#"{"_id": 2, "n": 0}"#))
            table.load(&batch)
            table.put(json(#"{"_id": 1, "n": 100}"#))
            let first = table.store(&batch)
            #expect(Set(first.keys) == [0, 2])
            #expect(batch.lanes.map(\.requests) == [[1, 3]])
            #expect(batch.inserts.isEmpty)
            #expect(batch.openRequests.map(\.key) == [key("1"), key("1")])
            #expect(batch.lanes[0].loaded == nil && batch.lanes[0].version == nil)
            table.load(&batch)
            let second = table.store(&batch)
            #expect(Set(second.keys) == [1, 3])
            #expect(table.texts == [#"{"_id":0}"#, #"{"_id":1,"n":102}"#, #"{"_id":2,"n":1}"#])
        }
    }

    @Test("stores go out in the order of collection and key, inserts and lanes together")
    func lockOrder() async throws {
        let writes: [PlannedWrite] = [
            .insert(#"{"_id": 1}"#, collection: 2), try .delete("4"), .insert(#"{"_id": 3}"#), try .delete("2"),
            .insert(#"{"_id": 5}"#), .insert(#"{"_id": 4}"#), try .delete("0", collection: 2), try .delete("6"),
        ]
        try await withBatch(writes) { batch in
            var table = MemoryTable()
            for id in [0, 2, 4] { table.put(json("{\"_id\": \(id)}")) }
            table.load(&batch)
            let order = batch.steps.map { step in
                switch step {
                case .insert(let position): writes[batch.inserts[position]]
                case .lane(let index): writes[batch.lanes[index].requests[0]]
                }
            }
            // 6 is not there, so that its lane stores nothing.
            #expect(order.map(\.key) == ["2", "3", "4", "5", "0", "1"].map { key($0) })
            #expect(order.map(\.collection.number) == [1, 1, 1, 1, 2, 2])
            // An insert that meets other writes of its key is one of their lane.
            #expect(batch.lanes.map(\.requests) == [[3], [1, 5], [7], [6]])
        }
    }

    @Test("a document inserted and removed within the group is never stored")
    func insertThenRemove() async throws {
        let writes: [PlannedWrite] = [
            try .update("1", #"{"$set": {"n": 1}}"#, upsert: true),
            try .update("1", #"{"$inc": {"n": 1}}"#, upsert: true),
            try .delete("1"), try .delete("1"),
        ]
        try await withBatch(writes) { batch in
            let table = MemoryTable()
            table.load(&batch)
            #expect(batch.lanes[0].storesNothing && batch.steps.isEmpty)
            let answers = batch.committed(insertedRows: [], lost: [])
            let outcomes = answers.map { try? $0.result.get() }
            #expect(outcomes.map { $0?.upsertedID != nil } == [true, false, false, false])
            #expect(outcomes.map { $0?.matched } == [false, true, true, false])
            #expect(batch.isFinished)
        }
    }

    @Test("upsert and update in one lane: one insert with both")
    func upsertThenUpdate() async throws {
        let writes: [PlannedWrite] = [
            try .update("1", #"{"$inc": {"n": 1}}"#), try .update("1", #"{"$inc": {"n": 1}}"#, upsert: true),
            try .update("1", #"{"$inc": {"n": 1}}"#, upsert: true),
        ]
        try await withBatch(writes) { batch in
            var table = MemoryTable()
            table.load(&batch)
            guard case .insert(let document) = batch.lanes[0].store else {
                Issue.record("\(batch.lanes[0].store)")
                return
            }
            #expect(document.text == #"{"_id":1,"n":2}"#)
            let answers = table.store(&batch)
            #expect((0..<3).map { answers.outcome($0)?.matched } == [false, false, true])
            #expect((0..<3).map { answers.outcome($0)?.upsertedID != nil } == [false, true, false])
        }
    }

    @Test("an upsert whose _id exists but whose filter does not match is a duplicate key")
    func upsertMeetsDocument() async throws {
        let writes = [try PlannedWrite.update("1", #"{"$set": {"n": 1}}"#, and: #""state": "free""#, upsert: true)]
        try await withBatch(writes) { batch in
            var table = MemoryTable()
            table.put(json(#"{"_id": 1, "state": "taken"}"#))
            #expect(table.run(&batch).code(0) == 11000)
            #expect(table.texts == [#"{"_id":1,"state":"taken"}"#])
        }
    }

    @Test("an upsert that loses to an insert updates what was inserted")
    func upsertLosesRace() async throws {
        let writes = [try PlannedWrite.update("1", #"{"$inc": {"n": 1}}"#, upsert: true)]
        try await withBatch(writes) { batch in
            var table = MemoryTable()
            let answers = table.run(&batch) { table, round in
                if round == 0 { table.put(json(#"{"_id": 1, "n": 41}"#)) }
            }
            #expect(answers.outcome(0)?.matched == true && answers.outcome(0)?.upsertedID == nil)
            #expect(table.texts == [#"{"_id":1,"n":42}"#])
        }
    }

    @Test("one _id inserted twice in a group: the second is a duplicate")
    func duplicateInserts() async throws {
        let writes: [PlannedWrite] = [.insert(#"{"_id": 1, "n": 1}"#), .insert(#"{"_id": 1.0, "n": 2}"#)]
        try await withBatch(writes) { batch in
            var table = MemoryTable()
            let answers = table.run(&batch)
            #expect(answers.outcome(0) != nil && answers.code(1) == 11000)
            #expect(table.texts == [#"{"_id":1,"n":1}"#])
        }
    }

    @Test("after the optimistic rounds rows are read under lock, and the lane wins")
    func locksRows() async throws {
        try await withBatch([try .update("1", #"{"$inc": {"n": 1}}"#)]) { batch in
            var table = MemoryTable()
            table.put(json(#"{"_id": 1, "n": 0}"#))
            let answers = table.run(&batch) { table, round in
                table.put(json("{\"_id\": 1, \"n\": \((round + 1) * 10)}"))
            }
            #expect(batch.round == WriteBatch.optimisticRoundsMax + 1)
            #expect(answers.outcome(0)?.modified == true)
            #expect(table.texts == [#"{"_id":1,"n":31}"#])
        }
    }

    @Test("a lane for which there is no room is done in the next round, and large inserts do not share a group")
    func bytes() async throws {
        let writes: [PlannedWrite] = [
            try .update("1", #"{"$inc": {"n": 1}}"#), try .update("2", #"{"$inc": {"n": 1}}"#), .insert(#"{"_id": 3}"#),
        ]
        try await withBatch(writes) { batch in
            var table = MemoryTable()
            for id in [1, 2] { table.put(json("{\"_id\": \(id), \"n\": 0}")) }
            batch.deferred(lane: 1)
            table.load(&batch)
            #expect(Set(table.store(&batch).keys) == [0, 2])
            table.load(&batch)
            #expect(Set(table.store(&batch).keys) == [1])
            #expect(table.texts == [#"{"_id":1,"n":1}"#, #"{"_id":2,"n":1}"#, #"{"_id":3}"#])
        }
        let large = String(repeating: "x", count: 15 * 1024 * 1024)
        let many = (0..<6).map { PlannedWrite.insert("{\"_id\": \($0), \"text\": \"\(large)\"}") }
        try await withBatch(many) { batch in
            #expect(WriteBatch.groups(of: batch.requests).map(\.count) == [4, 2])
        }
    }

    @Test("rounds are bounded, and who has no answer at the bound is known")
    func roundBound() async throws {
        let writes = [try PlannedWrite.update("1", #"{"$inc": {"n": 1}}"#, upsert: true), .insert(#"{"_id": 2}"#)]
        try await withBatch(writes) { batch in
            // Inserts and removals by another, always in between: there is never a row to lock.
            while batch.round < WriteBatch.roundsMax, !batch.isFinished {
                batch.fold()
                #expect((batch.reading == .locking) == (batch.round >= WriteBatch.optimisticRoundsMax))
                _ = batch.committed(insertedRows: batch.inserts.map { _ in true }, lost: [0])
            }
            #expect(batch.round == WriteBatch.roundsMax)
            #expect(batch.openRequests.map(\.key) == [key("1")])
        }
    }

    @Test("random groups with random interference lose nothing and answer everything")
    func randomGroups() async throws {
        let seed = SeededGenerator.seed()
        var random = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            var writes: [PlannedWrite] = []
            for _ in 0..<Int.random(in: 1...40, using: &random) {
                let id = "\(Int.random(in: 0..<4, using: &random))"
                writes.append(try .update(id, #"{"$inc": {"n": 1}}"#, upsert: Bool.random(using: &random)))
            }
            let random = random
            try await withBatch(writes) { batch in
                var random = random
                var table = MemoryTable()
                var interferences = 0
                let answers = table.run(&batch) { table, _ in
                    guard Bool.random(using: &random),
                        let key = table.rows.keys.sorted(by: { compare($0, $1) < 0 }).first,
                        let row = table.rows[key], let n = row.document.int("n"), let id = row.document.int("_id")
                    else { return }
                    table.put(json("{\"_id\": \(id), \"n\": \(n + 1)}"))
                    interferences += 1
                }
                let applied = answers.values.count {
                    (try? $0.get()).map { $0.modified || $0.upsertedID != nil } ?? false
                }
                let sum = table.rows.values.reduce(0) { $0 + ($1.document.int("n") ?? 0) }
                #expect(answers.count == batch.requests.count, "MARTLET_SEED=\(seed)")
                #expect(sum == Int64(applied + interferences), "MARTLET_SEED=\(seed)")
            }
            _ = random
        }
    }
}

extension [Int: Result<DocumentOutcome, StorageError>] {
    fileprivate func outcome(_ request: Int) -> DocumentOutcome? { try? self[request]?.get() }

    fileprivate func code(_ request: Int) -> Int32? {
        guard case .failure(let error)? = self[request] else { return nil }
        return CommandError(error).code.number
    }
}
