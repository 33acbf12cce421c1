internal import BSON
package import CommandModel

/// Where work that outgrows its memory puts bytes for a while. Storage gives real files; tests give memory.
package protocol SpillSpace: Sendable {
    /// - Throws: when there is no room, or the files cannot be made.
    func makeFile() throws(CommandError) -> any SpillFile
}

/// A temporary file: written from front to back, read anywhere, gone with its last reference.
///
/// Used in large pieces (``RunWriter``, ``RunReader``), so that a call through the protocol is no cost per row.
package protocol SpillFile: AnyObject, Sendable {
    /// How much was written.
    var byteCount: Int { get }

    func append(_ bytes: UnsafeRawBufferPointer) throws(CommandError)

    /// Fills `buffer` with what was written at `offset`.
    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(CommandError)
}

/// How records lie in a spill file: two lengths, the order among equal keys, the key, the document.
struct SpillHeader {
    static let byteCount = 16

    let keyCount: Int
    let rowCount: Int
    let rid: Int64

    var recordCount: Int { Self.byteCount + keyCount + rowCount }

    init(keyCount: Int, rowCount: Int, rid: Int64) {
        self.keyCount = keyCount
        self.rowCount = rowCount
        self.rid = rid
    }

    init(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        keyCount = Int(bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        rowCount = Int(bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self))
        rid = bytes.loadUnaligned(fromByteOffset: offset + 8, as: Int64.self)
    }

    func append(to buffer: inout [UInt8]) {
        // Keys and documents are bounded by the size of a document, far below what 32 bits count.
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: keyCount)) { buffer.append(contentsOf: $0) }
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: rowCount)) { buffer.append(contentsOf: $0) }
        withUnsafeBytes(of: rid) { buffer.append(contentsOf: $0) }
    }
}

/// Gathers records into large writes.
struct RunWriter {
    private static let pieceBytes = 256 * 1024

    let file: any SpillFile
    private let start: Int
    private var buffer: [UInt8] = []
    private(set) var keyBytesMax = 0

    init(file: any SpillFile) {
        self.file = file
        start = file.byteCount
    }

    mutating func append(_ entry: Sorter.Entry) throws(CommandError) {
        SpillHeader(keyCount: entry.key.count, rowCount: entry.row.count, rid: entry.rid).append(to: &buffer)
        buffer.append(contentsOf: entry.key)
        entry.row.withRaw { buffer.append(contentsOf: $0.bytes) }
        keyBytesMax = max(keyBytesMax, entry.key.count)
        if buffer.count >= Self.pieceBytes { try flush() }
    }

    /// - Returns: where the run lies in the file.
    mutating func finish() throws(CommandError) -> Range<Int> {
        try flush()
        return start..<file.byteCount
    }

    private mutating func flush() throws(CommandError) {
        let result: Result<Void, CommandError> = buffer.withUnsafeBytes { bytes in
            do throws(CommandError) { return .success(try file.append(bytes)) } catch { return .failure(error) }
        }
        try result.get()
        buffer.removeAll(keepingCapacity: true)
    }
}
