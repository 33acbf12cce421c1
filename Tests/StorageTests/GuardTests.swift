import BSON
import CommandModel
import NIOCore
import Testing

@testable import Storage

/// The guard's pure half, and its recordings.
@Suite struct GuardStateTests {
    @Test("recordings come back as they were written")
    func roundTrip() throws {
        var everything = WriteTally()
        (everything.matched, everything.modified) = (300, 299)
        everything.upsertedID = .string("k")
        everything.image = json(#"{"_id": 1, "a": [1, 2]}"#)
        let refusal = CommandError(.duplicateKey, "E11000", details: json(#"{"keyPattern": {"_id": 1}}"#))
        var buffer = ByteBuffer()
        let written: [Recording] = [
            .statement(0, WriteTally(DocumentOutcome(matched: true, modified: true))), .statement(70_000, everything),
            .failure(3, refusal), .inserts(first: 4, count: 1_000), .committed,
            .fingerprint([UInt8](0..<16)),
        ]
        for recording in written { recording.write(into: &buffer) }
        #expect(Recording.list(in: buffer).map(\.shown) == written.map(\.shown))
        // Whatever is cut off, what stands before it is read, and nothing traps.
        for length in 0..<buffer.readableBytes {
            let part = try #require(buffer.getSlice(at: 0, length: length))
            let read = Recording.list(in: part).map(\.shown)
            #expect(read == Array(written.map(\.shown).prefix(read.count)))
        }
    }

    @Test("random bytes are no recordings to trap on")
    func randomBytes() {
        let seed = SeededGenerator.seed()
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        for _ in 0..<2_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            _ = Recording.list(in: ByteBuffer(bytes: bytes))
        }
    }

    @Test("a statement that took effect is answered from its recording, the others run")
    func partial() throws {
        var state = GuardState(number: 7)
        try state.loaded(
            number: 7, step: 2, results: bytes([.inserts(first: 0, count: 3), .statement(5, WriteTally())]))
        #expect(
            (0..<8).map { state.repeatedResult(of: $0) != nil } == [true, true, true, false, false, true, false, false])
        #expect(state.repeated == [0, 1, 2, 5])
        #expect(state.step == 2)
        state.recorded()
        #expect(state.step == 3)
    }

    @Test("the row of an older number says nothing, the row of a newer one refuses")
    func numbers() throws {
        var state = GuardState(number: 7)
        try state.loaded(number: 6, step: 4, results: bytes([.inserts(first: 0, count: 1)]))
        #expect(state.repeatedResult(of: 0) == nil)
        #expect(state.step == 0)
        #expect(throws: CommandError.self) { try state.loaded(number: 8, step: 1, results: ByteBuffer()) }
    }

    @Test("a run of inserts that ends beyond all numbers is none")
    func runBeyondNumbers() throws {
        var state = GuardState(number: 7)
        try state.loaded(
            number: 7, step: 2, results: bytes([.inserts(first: .max, count: 1), .inserts(first: 3, count: 1)]))
        #expect(state.repeatedResult(of: .max) == nil)
        #expect(state.repeatedResult(of: 3) != nil)
    }

    @Test("a reload forgets what was believed before")
    func reload() throws {
        var state = GuardState(number: 7)
        try state.loaded(number: 7, step: 1, results: bytes([.inserts(first: 0, count: 1)]))
        state.loadedNothing()
        #expect(state.repeatedResult(of: 0) == nil)
        #expect(state.step == 0)
    }

    private func bytes(_ recordings: [Recording]) -> ByteBuffer {
        var buffer = ByteBuffer()
        for recording in recordings { recording.write(into: &buffer) }
        return buffer
    }
}

extension DatabaseTests {
    /// The guard with PostgreSQL: claims and effects share a transaction.
    @Suite struct GuardTests {
        private let store: TestStore

        init() throws { store = try TestStore.make() }

        @Test("the same command twice takes effect once, and gets the same results")
        func twice() async throws {
            let collection = try await store.collection("guarded")
            try await store.engine.fill([json(#"{"_id": 1, "n": 0}"#)], into: collection)
            for attempt in 1...3 {
                let guarded = try await store.guarded(number: 5, isRetry: attempt > 1)
                let increment = try DocumentOperation.update(#"{"_id": 1}"#, #"{"$inc": {"n": 1}}"#, images: true)
                let tally = try await store.engine.once(guarded, statement: 0) {
                    claim async throws(StorageError) in
                    WriteTally(
                        try await store.engine.modifyOne(increment, in: collection, claim: claim, deadline: .never))
                }
                #expect(tally.modified == 1)
                #expect(tally.image?.text == #"{"_id":1,"n":0}"#)
                #expect(guarded.repeatedStatements == (attempt > 1 ? [0] : []))
            }
            #expect(try await store.engine.texts(of: collection) == [#"{"_id":1,"n":1}"#])
        }

        @Test("a key that comes with another command is refused, and nothing is done")
        func otherCommand() async throws {
            let collection = try await store.collection("refused")
            for (id, code) in [(1, nil), (2, Int32(2)), (1, nil)] {
                var fingerprint = RetryIdentity.Fingerprint()
                withUnsafeBytes(of: id) { fingerprint.add($0) }
                let identity = RetryIdentity(
                    key: "a", scope: "test.refused", fingerprint: fingerprint, lifetimeSeconds: 60)
                let result = await errorCode {
                    let guarded = StatementGuard(identity)
                    try await store.engine.load(guarded)
                    _ = try await store.engine.once(guarded, statement: 0) { claim async throws(StorageError) in
                        WriteTally(
                            try await store.engine.insert(json("{\"_id\": \(id)}"), into: collection, claim: claim))
                    }
                }
                #expect(result == code)
            }
            #expect(try await store.engine.texts(of: collection) == [#"{"_id":1}"#])
        }

        @Test("copies that run at once take effect once, also those that never looked at the row")
        func racingCopies() async throws {
            let collection = try await store.collection("racing")
            try await store.engine.fill([json(#"{"_id": 1, "n": 0}"#)], into: collection)
            for number in Int64(1)...20 {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<4 {
                        group.addTask {
                            let guarded = try await store.guarded(number: number, isRetry: false)
                            let increment = try DocumentOperation.update(#"{"_id": 1}"#, #"{"$inc": {"n": 1}}"#)
                            let tally = try await store.engine.once(guarded, statement: 0) {
                                claim async throws(StorageError) in
                                WriteTally(
                                    try await store.engine.modifyOne(
                                        increment, in: collection, claim: claim, deadline: .never))
                            }
                            #expect(tally.modified == 1)
                        }
                    }
                    try await group.waitForAll()
                }
            }
            #expect(try await store.engine.texts(of: collection) == [#"{"_id":1,"n":20}"#])
        }

        @Test("an older number is refused")
        func tooOld() async throws {
            let collection = try await store.collection("old")
            for (number, code) in [(Int64(2), nil), (1, Int32(225)), (2, nil), (3, nil)] {
                let result = await errorCode {
                    let guarded = try await store.guarded(number: number, isRetry: true)
                    _ = try await store.engine.once(guarded, statement: 0) { claim async throws(StorageError) in
                        WriteTally(
                            try await store.engine.insert(
                                json("{\"_id\": \(number)}"), into: collection, claim: claim))
                    }
                }
                #expect(result == code)
            }
            #expect(try await store.engine.texts(of: collection).count == 2)
        }

        @Test("a refused insert is not recorded, and those around it are")
        func duplicates() async throws {
            let collection = try await store.collection("bulk")
            try await store.engine.fill([json(#"{"_id": 2}"#)], into: collection)
            let documents = (1...4).map { json("{\"_id\": \($0)}") }
            for isOrdered in [true, false] {
                let number: Int64 = isOrdered ? 1 : 2
                for attempt in 1...2 {
                    let guarded = try await store.guarded(number: number, isRetry: attempt > 1)
                    let errors = try await store.engine.insert(
                        documents, into: collection, isOrdered: isOrdered, guarded: guarded,
                        statements: [0, 1, 2, 3])
                    #expect(errors.map(\.index) == (isOrdered ? [1] : [0, 1]))
                    #expect(guarded.repeatedStatements == (attempt == 1 ? [] : isOrdered ? [0] : [2, 3]))
                }
            }
        }

        @Test("an application's key gives the first reply, also when it was no effect or an error")
        func applicationKey() async throws {
            let collection = try await store.collection("keyed")
            let operation = try DocumentOperation.update(#"{"_id": 1}"#, #"{"$set": {"n": 1}}"#)
            for attempt in 1...2 {
                // There by the second time, and still the first reply holds.
                if attempt == 2 { try await store.engine.fill([json(#"{"_id": 1}"#)], into: collection) }
                let guarded = StatementGuard(
                    RetryIdentity(key: "a", scope: "test.keyed", fingerprint: .init(), lifetimeSeconds: 60))
                try await store.engine.load(guarded)
                let tally = try await store.engine.once(guarded, statement: 0) {
                    claim async throws(StorageError) in
                    WriteTally(
                        try await store.engine.modifyOne(operation, in: collection, claim: claim, deadline: .never))
                }
                #expect(tally.matched == 0)
                try await store.engine.fill([json(#"{"_id": 1}"#)].filter { _ in tally.matched == 9 }, into: collection)
            }
            for attempt in 1...2 {
                let guarded = StatementGuard(
                    RetryIdentity(key: "b", scope: "test.keyed", fingerprint: .init(), lifetimeSeconds: 60))
                try await store.engine.load(guarded)
                if attempt == 1 { try await store.engine.fill([json(#"{"_id": 2}"#)], into: collection) }
                if attempt == 2 {
                    _ = try await store.engine.modify(try .delete(#"{"_id": 2}"#), in: collection)
                }
                let code = await errorCode {
                    _ = try await store.engine.once(guarded, statement: 0) { claim async throws(StorageError) in
                        WriteTally(
                            try await store.engine.insert(json(#"{"_id": 2}"#), into: collection, claim: claim))
                    }
                }
                #expect(code == 11_000)
            }
        }
    }
}

extension TestStore {
    /// The guard of a numbered command, as a server makes it.
    func guarded(number: Int64, isRetry: Bool) async throws -> StatementGuard {
        let session = LogicalSessionID(uuid: [UInt8](repeating: 9, count: 16))
        let guarded = StatementGuard(RetryIdentity(session: session, number: number))
        if isRetry { try await engine.load(guarded) }
        return guarded
    }
}

extension Recording {
    /// For comparison.
    fileprivate var shown: String {
        switch self {
        case .statement(let number, let tally):
            "\(number) \(tally.matched) \(tally.modified) \(tally.upsertedID.map { "\($0.type) \($0.buffer)" } ?? "") "
                + (tally.image?.text ?? "")
        case .failure(let number, let error): "\(number) \(error) \(error.details?.text ?? "")"
        case .inserts(let first, let count): "\(first) + \(count)"
        case .committed: "committed"
        case .fingerprint(let bytes): "\(bytes)"
        }
    }
}
