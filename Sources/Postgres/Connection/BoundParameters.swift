internal import NIOCore
internal import SQL

/// The parameters of one statement in the shape libpq takes: pointers, lengths and formats side by side.
///
/// One per connection, reused: after the first statements, binding allocates nothing. libpq copies the values into
/// its output buffer before the call returns.
struct BoundParameters {
    /// PostgreSQL refuses messages of a gigabyte and more; libpq counts in `int`.
    static let byteCountMax = 1 << 30 - 1

    private var bytes = ByteBuffer()
    private var pointers: [UnsafePointer<CChar>?] = []
    private var lengths: [Int32] = []
    private var formats: [Int32] = []
    private var starts: [Int] = []

    /// Encodes the values; false when they exceed what one message can hold.
    mutating func encode(_ parameters: [Parameter]) -> Bool {
        let total = parameters.reduce(0) { $0 + $1.byteCount }
        guard total < Self.byteCountMax, parameters.count <= 65_535 else { return false }
        clear(reserving: total)
        for parameter in parameters {
            let start = bytes.writerIndex
            parameter.write(to: &bytes)
            starts.append(parameter.isNull ? -1 : start)
            lengths.append(Int32(truncatingIfNeeded: bytes.writerIndex - start))
            formats.append(1)
        }
        return true
    }

    mutating func withPointers(
        _ body: (_ values: UnsafePointer<UnsafePointer<CChar>?>?, _ lengths: [Int32], _ formats: [Int32]) -> Int32
    ) -> Int32 {
        bytes.withUnsafeReadableBytes { raw in
            // An empty buffer has no address, but an empty value is not NULL: any address serves.
            let base = raw.baseAddress ?? UnsafeRawPointer(bitPattern: 8).unsafelyUnwrapped
            for start in starts {
                pointers.append(start < 0 ? nil : (base + start).assumingMemoryBound(to: CChar.self))
            }
            return pointers.withUnsafeBufferPointer { body($0.baseAddress, lengths, formats) }
        }
    }

    /// A huge batch must not pin its memory for the life of the connection.
    private mutating func clear(reserving byteCount: Int) {
        let retainedMax = 4 << 20
        if bytes.capacity > retainedMax && byteCount <= retainedMax {
            bytes = ByteBuffer()
        }
        bytes.clear(minimumCapacity: byteCount)
        pointers.removeAll(keepingCapacity: true)
        lengths.removeAll(keepingCapacity: true)
        formats.removeAll(keepingCapacity: true)
        starts.removeAll(keepingCapacity: true)
    }
}
