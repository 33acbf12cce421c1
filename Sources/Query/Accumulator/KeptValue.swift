internal import BSON
internal import CommandModel

/// A value that outlives its document: up to 16 bytes in place, more in memory that is used again for the next one.
struct KeptValue {
    private var place: (UInt64, UInt64) = (0, 0)
    private var long: LongValue?
    private var type: BSONType?
    private var count: UInt8 = 0

    private static let countMax = 16

    init() {}

    init(_ value: RawValue) { set(value) }

    var isSet: Bool { type != nil }

    mutating func set(_ value: RawValue) {
        type = value.type
        if value.count <= Self.countMax {
            count = UInt8(truncatingIfNeeded: value.count)
            withUnsafeMutableBytes(of: &place) { $0.copyMemory(from: value.bytes) }
        } else {
            count = .max
            if long == nil { long = LongValue() }
            long?.set(value.bytes)
        }
    }

    /// Calls `body` with the value, which must have been set.
    @inline(__always)
    func withValue<R, E: Error>(_ body: (RawValue) throws(E) -> R) throws(E) -> R {
        let type = type ?? .null
        if count == .max, let long { return try body(RawValue(type: type, bytes: long.bytes)) }
        let result: Result<R, E> = withUnsafeBytes(of: place) { bytes in
            let payload = UnsafeRawBufferPointer(rebasing: bytes[..<Int(count)])
            do throws(E) {
                return .success(try body(RawValue(type: type, bytes: payload)))
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// Nil when nothing was set.
    func value(_ run: Evaluator) throws(CommandError) -> RawValue? {
        guard let type else { return nil }
        if count == .max, let long { return RawValue(type: type, bytes: long.bytes) }
        return try withValue { value throws(CommandError) in try run.scratch.copy(value) }
    }

    /// What the value takes beside itself.
    var byteCount: Int { long?.byteCount ?? 0 }
}

/// The bytes of a value that does not fit into a ``KeptValue``.
private final class LongValue {
    private var block: UnsafeMutableRawBufferPointer
    private var count = 0

    init() { block = .init(start: nil, count: 0) }

    deinit { block.deallocate() }

    func set(_ bytes: UnsafeRawBufferPointer) {
        if bytes.count > block.count {
            block.deallocate()
            block = .allocate(byteCount: (bytes.count + 31) & ~31, alignment: 8)
        }
        block.copyMemory(from: bytes)
        count = bytes.count
    }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: block[..<count]) }
    var byteCount: Int { block.count + 64 }
}
