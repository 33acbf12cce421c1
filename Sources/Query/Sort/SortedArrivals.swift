internal import BSON
internal import CommandModel

/// What a stage gathers of its input, to get it back in the order of keys; equal keys in the order of arrival.
struct SortedArrivals {
    private var sorter: ExternalSorter
    private var sorted: SortedRecords?
    private(set) var count: Int64 = 0

    /// - Parameter limit: how many come out; nil for all.
    init(limit: Int? = nil, _ limits: StageLimits) {
        sorter = ExternalSorter(
            limit: limit, bytesMax: limits.memoryBytesMax, space: limits.spill, patience: limits.patience)
    }

    mutating func insert(_ document: RawDocument, key: [UInt8]) throws(CommandError) {
        count += 1
        try sorter.insert(key: key, rid: count, row: document)
    }

    /// The next one, which stays the next until it is taken. From the first call on nothing is to be inserted.
    mutating func peek() throws(CommandError) -> Sorter.Entry? {
        if sorted == nil { sorted = try sorter.finish() }
        return try sorted?.peek()
    }

    mutating func next() throws(CommandError) -> Sorter.Entry? {
        if sorted == nil { sorted = try sorter.finish() }
        return try sorted?.next()
    }
}

/// A key of which the first part says to which partition a document belongs, and the rest its place there. The length
/// of the first part stands at the end: no key is the beginning of another one, so that it decides nothing.
enum PartitionedKey {
    static func make(
        partition: (inout KeyEncoder) throws(CommandError) -> Void,
        place: (inout KeyEncoder) throws(CommandError) -> Void
    ) throws(CommandError) -> [UInt8] {
        var key = KeyEncoder()
        try partition(&key)
        let length = UInt32(truncatingIfNeeded: key.bytes.count)
        try place(&key)
        withUnsafeBytes(of: length.bigEndian) { key.bytes.append(contentsOf: $0) }
        return key.bytes
    }
}

extension Sorter.Entry {
    /// Of a ``PartitionedKey``.
    var partitionKey: ArraySlice<UInt8> {
        key.prefix(key.suffix(4).reduce(0) { $0 << 8 | Int($1) })
    }
}
