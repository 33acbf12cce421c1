import BSON
import CommandModel
import Metrics
import Query
import Testing

@testable import Storage

#if canImport(Glibc)
    import Glibc
#endif

@Suite("Temporary files")
struct SpillDirectoryTests {
    private static func path() -> String { "/tmp/martlet-spill-test-\(UInt64.random(in: 0...UInt64.max))" }

    @Test("a file keeps what was written and leaves nothing")
    func roundTrip() throws {
        let directory = SpillDirectory(path: Self.path())
        defer { rmdir(directory.path) }
        var file: (any SpillFile)? = try directory.makeFile()
        let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try bytes.withUnsafeBytes { try file?.append($0) }
        try bytes.withUnsafeBytes { try file?.append($0) }
        var read = [UInt8](repeating: 0, count: 1000)
        try read.withUnsafeMutableBytes { try file?.read(at: 99_500, into: $0) }
        #expect(read == Array(bytes[99_500...] + bytes[..<500]))
        #expect(directory.metrics.bytesOpen == 200_000)
        // Empty already: it can be removed while the file is open.
        #expect(rmdir(directory.path) == 0)
        file = nil
        #expect(directory.metrics.bytesOpen == 0)
        #expect(directory.metrics.files.value == 1)
        #expect(directory.metrics.bytesWritten.value == 200_000)
    }

    @Test("all files together are bounded, and a file that goes makes room")
    func bound() throws {
        let directory = SpillDirectory(path: Self.path(), bytesMax: 1000)
        defer { rmdir(directory.path) }
        var first: (any SpillFile)? = try directory.makeFile()
        let second = try directory.makeFile()
        let bytes = [UInt8](repeating: 1, count: 600)
        try bytes.withUnsafeBytes { try first?.append($0) }
        #expect(throws: CommandError.self) { try bytes.withUnsafeBytes { try second.append($0) } }
        first = nil
        try bytes.withUnsafeBytes { try second.append($0) }
        #expect(second.byteCount == 600)
    }

    @Test("a directory that others may write to, and one that cannot be made, are told")
    func problems() {
        let open = SpillDirectory(path: Self.path())
        #expect(open.problem() == nil)
        chmod(open.path, 0o777)
        #expect(open.problem() != nil)
        rmdir(open.path)
        #expect(SpillDirectory(path: "/proc/none/spill").problem() != nil)
    }
}

extension DatabaseTests {
    /// Cursors over sorts that memory cannot hold.
    @Suite struct SpillTests {
        private let store: TestStore
        private let collection: Storage.Collection

        init() async throws {
            store = try TestStore.make()
            collection = try await store.collection()
        }

        private func ids(_ query: FindQuery, batch: Int) async throws -> [Int64] {
            var run = QueryRun(query, on: collection)
            var ids: [Int64] = []
            while !run.isExhausted {
                ids += try await store.engine.next(&run, count: batch).compactMap { $0.int("_id") }
            }
            return ids
        }

        @Test("a sort on disk gives what a sort in memory gives, batch by batch")
        func metamorphic() async throws {
            let seed = SeededGenerator.seed()
            var generator = SeededGenerator(seed: seed)
            let documents = (0..<600).map { id in
                let (number, text) = (Int.random(in: 0..<40, using: &generator), String(repeating: "x", count: id % 97))
                return json(#"{"_id": \#(id), "a": \#(number), "s": "\#(text)"}"#)
            }
            try await store.engine.fill(documents, into: collection)
            for _ in 0..<12 {
                var query = FindQuery(filter: .everything)
                query.sort = try SortPattern(
                    compiling: json(Bool.random(using: &generator) ? #"{"a": 1}"# : #"{"a": -1, "s": 1}"#))
                query.limit = Bool.random(using: &generator) ? nil : Int.random(in: 1..<700, using: &generator)
                query.skip = Bool.random(using: &generator) ? 0 : Int.random(in: 1..<500, using: &generator)
                let batch = Int.random(in: 1..<200, using: &generator)
                let inMemory = try await ids(query, batch: batch)
                query.spill = store.engine.spill
                query.sortBytesMax = Int.random(in: 1_000..<20_000, using: &generator)
                #expect(try await ids(query, batch: batch) == inMemory, "seed \(seed)")
            }
            #expect(store.engine.spill.metrics.files.value > 0)
            // The thread that gave the last batch may still hold the sort that it gave it from.
            for _ in 0..<500 where store.engine.spill.metrics.bytesOpen > 0 {
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(store.engine.spill.metrics.bytesOpen == 0)
        }

        @Test("a sort that may not use the disk is refused beyond its memory")
        func refusal() async throws {
            let documents = (0..<100).map { json(#"{"_id": \#($0), "a": \#($0 % 7)}"#) }
            try await store.engine.fill(documents, into: collection)
            var query = FindQuery(filter: .everything)
            query.sort = try SortPattern(compiling: json(#"{"a": 1}"#))
            query.sortBytesMax = 1_000
            let refused = query
            #expect(await errorCode { _ = try await ids(refused, batch: 10) } == 292)
        }
    }
}
