package import BSON
package import CommandModel

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Sorts rows in memory, and with a limit keeps only the first ones.
///
/// Rows with equal keys come out by `rid`, so that a cursor may resume after `(key, rid)`; where rows have no `rid`,
/// the number of arrival does, and makes the sort stable.
package struct Sorter {
    package struct Entry: Sendable {
        package let key: [UInt8]
        package let rid: Int64
        /// Copied from the row.
        package let row: Document

        package init(key: [UInt8], rid: Int64, row: Document) {
            self.key = key
            self.rid = rid
            self.row = row
        }

        var byteCount: Int { key.count + row.count + 64 }
    }

    /// MongoDB's limit on a sort that may not use the disk.
    package static let memoryBytesMax = 100 * 1024 * 1024

    private let limit: Int
    private let bytesMax: Int
    private let narrowing: Narrowing?
    private var meter: WorkMeter
    /// A heap with the last row on top once `limit` rows are there; before, in order of arrival.
    private var entries: [Entry] = []
    /// Held now, about.
    private(set) var byteCount = 0

    /// - Parameters:
    ///   - limit: how many rows come out, skipped ones included; nil for all.
    ///   - narrowing: what is kept of each; nil for all of it.
    ///   - patience: ends a sort of much.
    package init(
        limit: Int?, bytesMax: Int = Sorter.memoryBytesMax, keeping narrowing: Narrowing? = nil,
        patience: Patience? = nil
    ) {
        self.limit = limit ?? .max
        self.bytesMax = bytesMax
        self.narrowing = narrowing
        meter = WorkMeter(patience)
    }

    package mutating func insert(key: [UInt8], rid: Int64, row: RawDocument) throws(CommandError) {
        add(key: key, rid: rid, row: row)
        guard byteCount <= bytesMax else {
            throw CommandError(
                .queryExceededMemoryLimitNoDiskUseAllowed,
                "Sort exceeded memory limit of \(bytesMax) bytes, but did not opt in to external sorting.")
        }
    }

    /// Without a look at the limit of memory.
    mutating func add(key: [UInt8], rid: Int64, row: RawDocument) {
        guard limit > 0 else { return }
        if entries.count == limit {
            guard Self.precedes(key, rid, entries[0]) else { return }
            replaceTop(Entry(key: key, rid: rid, row: copy(row)))
        } else {
            append(Entry(key: key, rid: rid, row: copy(row)))
        }
    }

    /// The rows in order. The sorter is empty afterwards.
    package mutating func finish() throws(CommandError) -> [Entry] {
        var taken: [Entry] = []
        swap(&taken, &entries)
        byteCount = 0
        return try Self.sorted(taken, meter)
    }

    private func copy(_ row: RawDocument) -> Document { narrowing?.narrowed(row) ?? Document(copying: row) }

    private mutating func append(_ entry: Entry) {
        byteCount += entry.byteCount
        entries.append(entry)
        guard entries.count == limit else { return }
        for index in stride(from: entries.count / 2 - 1, through: 0, by: -1) { siftDown(index) }
    }

    private mutating func replaceTop(_ entry: Entry) {
        byteCount += entry.byteCount - entries[0].byteCount
        entries[0] = entry
        siftDown(0)
    }

    private mutating func siftDown(_ start: Int) {
        var parent = start
        while true {
            var last = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < entries.count {
                if Self.precedes(entries[last].key, entries[last].rid, entries[child]) { last = child }
            }
            if last == parent { return }
            entries.swapAt(parent, last)
            parent = last
        }
    }

    private static func precedes(_ key: [UInt8], _ rid: Int64, _ other: Entry) -> Bool {
        precedes(key, rid, other.key, other.rid)
    }

    static func precedes(_ key: [UInt8], _ rid: Int64, _ otherKey: [UInt8], _ otherRID: Int64) -> Bool {
        let order = key.withUnsafeBytes { bytes in
            otherKey.withUnsafeBytes { otherBytes -> Int in
                guard let start = bytes.baseAddress, let otherStart = otherBytes.baseAddress else { return 0 }
                return Int(memcmp(start, otherStart, min(bytes.count, otherBytes.count)))
            }
        }
        if order != 0 { return order < 0 }
        return key.count == otherKey.count ? rid < otherRID : key.count < otherKey.count
    }
}

extension Sorter {
    /// Where an entry is, with the beginning of its key.
    ///
    /// Most entries are told apart by eight bytes: then a comparison looks at two numbers, and what moves is 16 bytes
    /// without references. Entries themselves would be retained and released with each comparison.
    private struct Place {
        let prefix: UInt64
        let index: Int
    }

    /// As many are sorted between two looks at the clock.
    private static let partCount = 8_192

    /// In parts, so that a sort of much can be given up, and then once more over all: where parts are in order already,
    /// the standard library's sort merges them.
    private static func sorted(_ entries: [Entry], _ meter: WorkMeter) throws(CommandError) -> [Entry] {
        var meter = meter
        var places = entries.indices.map { Place(prefix: prefix(of: entries[$0].key), index: $0) }
        func areInOrder(_ left: Place, _ right: Place) -> Bool {
            guard left.prefix == right.prefix else { return left.prefix < right.prefix }
            let (first, second) = (entries[left.index], entries[right.index])
            return precedes(first.key, first.rid, second.key, second.rid)
        }
        for start in stride(from: 0, to: places.count, by: partCount) {
            let end = min(start + partCount, places.count)
            try meter.spend((end - start) * 16)
            places[start..<end].sort(by: areInOrder)
        }
        if places.count > partCount { places.sort(by: areInOrder) }
        return places.map { entries[$0.index] }
    }

    /// The first eight bytes as a number; what is not there counts as zeros, which come first as nothing does.
    private static func prefix(of key: [UInt8]) -> UInt64 {
        key.withUnsafeBytes { bytes in
            if bytes.count >= 8 { return UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)) }
            return bytes.reduce(0) { $0 << 8 | UInt64($1) } << (8 * (8 - UInt64(bytes.count)))
        }
    }
}
