package import BSON
package import CommandModel

/// The merge of sorted runs, a record at a time: holds a buffer for each run, whatever their lengths.
package struct RunMerge: Sendable {
    private var readers: [RunReader] = []
    /// A heap of positions in ``readers``, the one with the first record on top.
    private var heap: [Int] = []
    private var remaining: Int

    /// - Parameter limit: how many records come out.
    init(of runs: [Range<Int>], in file: any SpillFile, limit: Int) throws(CommandError) {
        remaining = limit
        for run in runs {
            var reader = RunReader(file: file, range: run)
            if try reader.advance() { readers.append(reader) }
        }
        heap = Array(readers.indices)
        for index in stride(from: heap.count / 2 - 1, through: 0, by: -1) { siftDown(index) }
    }

    /// - Returns: nil after the last one.
    mutating func next() throws(CommandError) -> Sorter.Entry? {
        guard remaining > 0, let first = heap.first else { return nil }
        remaining -= 1
        let entry = try readers[first].take()
        if try !readers[first].advance() {
            heap[0] = heap[heap.count - 1]
            heap.removeLast()
        }
        siftDown(0)
        return entry
    }

    private mutating func siftDown(_ start: Int) {
        var parent = start
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if readers[heap[child]].precedes(readers[heap[least]]) { least = child }
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}

/// Reads one run of a spill file: always at the beginning of a record, whose key is in memory.
struct RunReader: Sendable {
    static let pieceBytes = 64 * 1024

    private let file: any SpillFile
    /// Where the bytes behind the buffer's lie in the file.
    private var next: Int
    private let end: Int
    private var buffer: [UInt8] = []
    /// Of the record, in the buffer.
    private var start = 0
    private var header = SpillHeader(keyCount: 0, rowCount: 0, rid: 0)
    private var isBeforeFirst = true

    init(file: any SpillFile, range: Range<Int>) {
        self.file = file
        next = range.lowerBound
        end = range.upperBound
    }

    /// Goes to the next record.
    ///
    /// - Returns: false after the last one.
    mutating func advance() throws(CommandError) -> Bool {
        if !isBeforeFirst { start += header.recordCount }
        isBeforeFirst = false
        guard start < buffer.count || next < end else {
            buffer = []
            return false
        }
        try ensure(SpillHeader.byteCount)
        header = buffer.withUnsafeBytes { SpillHeader($0, at: start) }
        try ensure(SpillHeader.byteCount + header.keyCount)
        return true
    }

    /// The record. Its document is read only now: of those that wait, the keys suffice.
    mutating func take() throws(CommandError) -> Sorter.Entry {
        try ensure(header.recordCount)
        let key = start + SpillHeader.byteCount
        let row = key + header.keyCount
        return buffer.withUnsafeBytes { bytes in
            Sorter.Entry(
                key: Array(bytes[key..<row]), rid: header.rid,
                row: Document(
                    copying: RawDocument(
                        unchecked: UnsafeRawBufferPointer(rebasing: bytes[row..<(row + header.rowCount)]))))
        }
    }

    func precedes(_ other: RunReader) -> Bool {
        let order = withKey { left in other.withKey { right in compareBytes(left, right) } }
        return order == 0 ? header.rid < other.header.rid : order < 0
    }

    private func withKey<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        buffer.withUnsafeBytes { bytes in
            let key = start + SpillHeader.byteCount
            return body(UnsafeRawBufferPointer(rebasing: bytes[key..<(key + header.keyCount)]))
        }
    }

    /// Has at least `count` bytes from ``start`` on in the buffer, and gives back what a large record took.
    private mutating func ensure(_ count: Int) throws(CommandError) {
        let present = buffer.count - start
        if present >= count, start < 4 * Self.pieceBytes { return }
        let wanted = min(max(count - present, Self.pieceBytes), end - next)
        guard present + max(wanted, 0) >= count else {
            throw CommandError(.internalError, "a temporary file is shorter than what was written to it")
        }
        var fresh = [UInt8]()
        fresh.reserveCapacity(present + wanted)
        fresh.append(contentsOf: buffer[start...])
        fresh.append(contentsOf: repeatElement(0, count: wanted))
        let (file, offset) = (file, next)
        let result: Result<Void, CommandError> = fresh.withUnsafeMutableBytes { bytes in
            let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[present...])
            do throws(CommandError) { return .success(try file.read(at: offset, into: rest)) } catch {
                return .failure(error)
            }
        }
        try result.get()
        next += wanted
        buffer = fresh
        start = 0
    }
}

private func compareBytes(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
    if left.elementsEqual(right) { return 0 }
    return left.lexicographicallyPrecedes(right) ? -1 : 1
}
