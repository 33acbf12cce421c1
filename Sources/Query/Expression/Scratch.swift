internal import BSON
internal import CommandModel

/// The memory of the values that an evaluation makes: handed out one after the other, taken back all at once.
///
/// A computed value lives until the evaluation of its document ends, and then nothing is freed one by one: the next
/// document writes over it. So an expression costs no allocation per row once the first block is there. Rejected: an
/// owned buffer for each value, which is a `malloc` for each step of an expression.
final class Scratch {
    /// As much as the values of one document may take together; an expression can make values of any size.
    static let bytesMax = 256 * 1024 * 1024
    private static let blockBytes = 64 * 1024
    /// A larger block is not kept for the next document.
    private static let keptBytesMax = 4 * 1024 * 1024

    private var block: UnsafeMutableRawBufferPointer
    private var used = 0
    private var fullBlocks: [UnsafeMutableRawBufferPointer] = []
    private var bytesInFullBlocks = 0

    private let patience: Patience?

    init(patience: Patience? = nil) {
        self.patience = patience
        block = .allocate(byteCount: Self.blockBytes, alignment: 8)
    }

    deinit {
        block.deallocate()
        for full in fullBlocks { full.deallocate() }
    }

    /// Takes back everything.
    func reset() {
        used = 0
        guard !fullBlocks.isEmpty || block.count > Self.keptBytesMax else { return }
        for full in fullBlocks { full.deallocate() }
        fullBlocks.removeAll(keepingCapacity: true)
        bytesInFullBlocks = 0
        guard block.count > Self.keptBytesMax else { return }
        block.deallocate()
        block = .allocate(byteCount: Self.blockBytes, alignment: 8)
    }

    /// - Returns: memory for `count` bytes, not aligned: BSON is not either.
    /// - Throws: `ExceededMemoryLimit` beyond ``bytesMax``.
    @inline(__always)
    func allocate(_ count: Int) throws(CommandError) -> UnsafeMutableRawPointer {
        if count > block.count - used { try addBlock(for: count) }
        let start = block.baseAddress.unsafelyUnwrapped + used
        used += count
        return start
    }

    @inline(never)
    private func addBlock(for count: Int) throws(CommandError) {
        try patience?.check()
        bytesInFullBlocks += block.count
        guard count <= Self.bytesMax - bytesInFullBlocks else {
            bytesInFullBlocks -= block.count
            throw CommandError(
                .exceededMemoryLimit, "an expression used more than \(Self.bytesMax) bytes for one document")
        }
        fullBlocks.append(block)
        block = .allocate(byteCount: max(count, min(2 * block.count, Self.keptBytesMax)), alignment: 8)
        used = 0
    }
}

// Taking back a part.
extension Scratch {
    /// A place to come back to.
    struct Mark {
        fileprivate let blockCount: Int
        fileprivate let used: Int
        fileprivate let bytes: Int
    }

    /// As much as a loop may leave behind in one turn or some before it takes the memory back.
    static let garbageMax = 64 * 1024

    var mark: Mark { Mark(blockCount: fullBlocks.count, used: used, bytes: bytesInFullBlocks + used) }

    /// How much was handed out since `mark`.
    func bytes(since mark: Mark) -> Int { bytesInFullBlocks + used - mark.bytes }

    /// Takes back what was handed out since `mark`, but for one value: where that lies in memory taken back, it moves.
    func rewind(to mark: Mark, keeping value: RawValue?) throws(CommandError) -> RawValue? {
        var late: [UnsafeMutableRawBufferPointer] = []
        if fullBlocks.count > mark.blockCount {
            late = fullBlocks[(mark.blockCount + 1)...] + [block]
            block = fullBlocks[mark.blockCount]
            fullBlocks.removeSubrange(mark.blockCount...)
        }
        defer { for block in late { block.deallocate() } }
        used = mark.used
        bytesInFullBlocks = mark.bytes - mark.used
        guard let value, value.count > 0 else { return value }
        let isTaken =
            UnsafeRawBufferPointer(rebasing: block[used...]).contains(value.start)
            || late.contains { UnsafeRawBufferPointer($0).contains(value.start) }
        // What stays in its block moves towards the beginning, maybe over itself: the copy is made for that.
        return isTaken ? try copy(value) : value
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func contains(_ address: UnsafeRawPointer) -> Bool {
        baseAddress.map { address >= $0 && address < $0 + count } ?? false
    }
}

// Values of fixed size.
extension Scratch {
    func value(_ number: Number) throws(CommandError) -> RawValue {
        switch number {
        case .int32(let value): try int32(value)
        case .int64(let value): try int64(value)
        case .double(let value): try double(value)
        case .decimal(let value): try decimal(value)
        }
    }

    func int32(_ value: Int32) throws(CommandError) -> RawValue { try fixed(.int32, value.littleEndian) }
    func int64(_ value: Int64) throws(CommandError) -> RawValue { try fixed(.int64, value.littleEndian) }
    func double(_ value: Double) throws(CommandError) -> RawValue {
        try fixed(.double, value.bitPattern.littleEndian)
    }

    func decimal(_ value: Decimal128) throws(CommandError) -> RawValue {
        let start = try allocate(16)
        start.storeBytes(of: value.low.littleEndian, as: UInt64.self)
        start.storeBytes(of: value.high.littleEndian, toByteOffset: 8, as: UInt64.self)
        return RawValue(type: .decimal128, start: start, count: 16)
    }

    /// - Parameter milliseconds: since 1970 UTC.
    func date(_ milliseconds: Int64) throws(CommandError) -> RawValue { try fixed(.date, milliseconds.littleEndian) }

    /// - Parameter value: seconds in the high, increment in the low 32 bits.
    func timestamp(_ value: UInt64) throws(CommandError) -> RawValue { try fixed(.timestamp, value.littleEndian) }

    func bool(_ value: Bool) throws(CommandError) -> RawValue { try fixed(.bool, UInt8(value ? 1 : 0)) }

    private func fixed<T: FixedWidthInteger>(_ type: BSONType, _ value: T) throws(CommandError) -> RawValue {
        let start = try allocate(MemoryLayout<T>.size)
        start.storeBytes(of: value, as: T.self)
        return RawValue(type: type, start: start, count: MemoryLayout<T>.size)
    }
}

// Strings and binary.
extension Scratch {
    /// A string of these bytes, which must be UTF-8.
    func string(_ bytes: UnsafeRawBufferPointer) throws(CommandError) -> RawValue {
        let (value, target) = try string(byteCount: bytes.count)
        target.copyMemory(from: bytes)
        return value
    }

    func string(_ text: String) throws(CommandError) -> RawValue {
        var text = text
        let result: Result<RawValue, CommandError> = text.withUTF8 { utf8 in
            do throws(CommandError) {
                return .success(try string(UnsafeRawBufferPointer(utf8)))
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// A string of `byteCount` bytes, for the caller to fill.
    func string(byteCount: Int) throws(CommandError) -> (RawValue, UnsafeMutableRawBufferPointer) {
        let start = try allocate(byteCount + 5)
        start.storeBytes(of: Int32(truncatingIfNeeded: byteCount + 1).littleEndian, as: Int32.self)
        start.storeBytes(of: 0, toByteOffset: byteCount + 4, as: UInt8.self)
        let target = UnsafeMutableRawBufferPointer(start: start + 4, count: byteCount)
        return (RawValue(type: .string, start: start, count: byteCount + 5), target)
    }

    func binary(_ bytes: UnsafeRawBufferPointer, subtype: UInt8) throws(CommandError) -> RawValue {
        let start = try allocate(bytes.count + 5)
        start.storeBytes(of: Int32(truncatingIfNeeded: bytes.count).littleEndian, as: Int32.self)
        start.storeBytes(of: subtype, toByteOffset: 4, as: UInt8.self)
        UnsafeMutableRawBufferPointer(start: start + 5, count: bytes.count).copyMemory(from: bytes)
        return RawValue(type: .binary, start: start, count: bytes.count + 5)
    }

    func objectID(_ id: ObjectID) throws(CommandError) -> RawValue {
        let start = try allocate(12)
        id.withBytes { UnsafeMutableRawBufferPointer(start: start, count: 12).copyMemory(from: $0) }
        return RawValue(type: .objectID, start: start, count: 12)
    }

    /// A copy of a value whose memory the caller does not own for as long.
    func copy(_ value: RawValue) throws(CommandError) -> RawValue {
        let start = try allocate(value.count)
        start.copyMemory(from: value.start, byteCount: value.count)
        return RawValue(type: value.type, start: start, count: value.count)
    }
}
