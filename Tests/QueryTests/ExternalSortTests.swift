import BSON
import CommandModel
import Synchronization
import Testing

@testable import Query

/// Spill files in memory, which count what they hold and may run full.
final class MemorySpace: SpillSpace {
    fileprivate let files = Mutex<[MemoryFile]>([])

    var isEmpty: Bool { files.withLock { $0.isEmpty } }
    private let bytesMax: Int

    init(bytesMax: Int = .max) {
        self.bytesMax = bytesMax
    }

    func makeFile() throws(CommandError) -> any SpillFile {
        let file = MemoryFile(bytesMax: bytesMax)
        files.withLock { $0.append(file) }
        return file
    }
}

private final class MemoryFile: SpillFile {
    private let bytes = Mutex<[UInt8]>([])
    private let bytesMax: Int

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    var byteCount: Int { bytes.withLock(\.count) }

    func append(_ new: UnsafeRawBufferPointer) throws(CommandError) {
        guard byteCount + new.count <= bytesMax else {
            throw CommandError(ErrorCode(14031, "OutOfDiskSpace"), "full")
        }
        bytes.withLock { $0.append(contentsOf: new) }
    }

    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(CommandError) {
        bytes.withLock { bytes in
            bytes.withUnsafeBytes { buffer.copyMemory(from: .init(rebasing: $0[offset..<(offset + buffer.count)])) }
        }
    }
}

@Suite("Sorting on disk")
struct ExternalSortTests {
    private struct Shape: CustomStringConvertible {
        let seed: UInt64
        let rows: Int
        let limit: Int?
        let bytesMax: Int

        var description: String { "seed \(seed): \(rows) rows, limit \(limit ?? -1), \(bytesMax) bytes" }
    }

    /// Rows with many equal keys, some short and a few longer than a read of the merge.
    private static func rows(_ shape: Shape) -> [Document] {
        var generator = SeededGenerator(seed: shape.seed)
        return (0..<shape.rows).map { index in
            let size =
                Int.random(in: 0..<60, using: &generator) == 0 ? 150_000 : Int.random(in: 0..<200, using: &generator)
            return Document {
                $0.append("a", int32: Int32.random(in: 0..<50, using: &generator))
                $0.append("i", int32: Int32(index))
                $0.append("s", string: String(repeating: "x", count: size))
            }
        }
    }

    private func sorted(_ shape: Shape, _ rows: [Document], bytesMax: Int, _ space: MemorySpace?) throws -> [String] {
        let pattern = try SortPattern(compiling: json(#"{"a":-1}"#))
        var sorter = ExternalSorter(limit: shape.limit, bytesMax: bytesMax, space: space)
        for (rid, row) in rows.enumerated() {
            try row.withRaw { try sorter.insert(key: pattern.key(of: $0), rid: Int64(rid), row: $0) }
        }
        var result: [String] = []
        var records = try sorter.finish()
        while let entry = try records.next() { result.append("\(entry.rid) \(entry.row.text.hashValue)") }
        #expect(try records.peek() == nil)
        return result
    }

    @Test("the order does not depend on how much memory there is", arguments: 0..<60 as Range<UInt64>)
    func metamorphic(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let rows = Int.random(in: 0..<400, using: &generator)
        let shape = Shape(
            seed: seed, rows: rows,
            limit: Bool.random(using: &generator) ? nil : Int.random(in: 0...(rows + 5), using: &generator),
            bytesMax: 1 << Int.random(in: 7..<20, using: &generator))
        let documents = Self.rows(shape)
        let space = MemorySpace()
        let small = try sorted(shape, documents, bytesMax: shape.bytesMax, space)
        #expect(try small == sorted(shape, documents, bytesMax: .max, nil), "\(shape)")
        let needed = documents.reduce(0) { $0 + $1.count }
        #expect(shape.limit != nil || needed <= shape.bytesMax || space.files.withLock { !$0.isEmpty }, "\(shape)")
    }

    @Test("many runs are merged before there are too many to merge at once")
    func manyRuns() throws {
        let shape = Shape(seed: 5, rows: 300, limit: nil, bytesMax: 1)
        let documents = Self.rows(shape)
        let space = MemorySpace()
        #expect(try sorted(shape, documents, bytesMax: 1, space) == sorted(shape, documents, bytesMax: .max, nil))
        #expect(space.files.withLock(\.count) > 10)
    }

    @Test("what comes after all that are asked for is not written")
    func cutoff() throws {
        let space = MemorySpace()
        var sorter = ExternalSorter(limit: 2, bytesMax: 250, space: space)
        let row = json(#"{"s":"\#(String(repeating: "x", count: 90))"}"#)
        for number in UInt8(0)..<200 {
            try row.withRaw { try sorter.insert(key: [number], rid: Int64(number), row: $0) }
        }
        #expect(sorter.hasSpilled)
        #expect(space.files.withLock { $0.reduce(0) { $0 + $1.byteCount } } < 10 * row.count)
        var records = try sorter.finish()
        #expect(try [records.next(), records.next(), records.next()].map { $0?.rid } == [0, 1, nil])
    }

    @Test("without a place to write to, and when that is full, the sort is refused")
    func refusal() throws {
        let shape = Shape(seed: 1, rows: 100, limit: nil, bytesMax: 1000)
        let documents = Self.rows(shape)
        #expect(errorCode { _ = try sorted(shape, documents, bytesMax: 1000, nil) } == 292)
        #expect(errorCode { _ = try sorted(shape, documents, bytesMax: 1000, MemorySpace(bytesMax: 900)) } == 14031)
    }
}
