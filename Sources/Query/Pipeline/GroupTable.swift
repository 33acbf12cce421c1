internal import BSON
internal import CommandModel

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// The groups of a `$group`: open addressing over the bytes of their keys, which lie one after the other in one block.
///
/// A dictionary of `[UInt8]` would allocate a key per document to look for it; this one compares bytes where they lie.
struct GroupTable {
    private struct Entry {
        let hash: UInt32
        let keyEnd: Int
        let idEnd: Int
        let idType: BSONType
    }

    private var entries: [Entry] = []
    private var keys: [UInt8] = []
    private var ids: [UInt8] = []
    private var states: [AccumulatorState] = []
    /// Of entries; -1 where there is none. Its size is a power of two.
    private var slots = [Int32](repeating: -1, count: 64)
    /// What states have beside themselves.
    private var bytesBeside = 0

    var count: Int { entries.count }

    /// Memory in use.
    var byteCount: Int {
        keys.count + ids.count + entries.count * MemoryLayout<Entry>.stride + slots.count * 4
            + states.count * MemoryLayout<AccumulatorState>.stride + bytesBeside
    }

    /// The group with this key.
    func index(of key: UnsafeRawBufferPointer) -> Int? {
        let hash = Self.hash(key)
        var slot = Int(hash) & (slots.count - 1)
        while slots[slot] >= 0 {
            let index = Int(slots[slot])
            if entries[index].hash == hash, hasKey(index, key) { return index }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    private func hasKey(_ index: Int, _ key: UnsafeRawBufferPointer) -> Bool {
        let start = index == 0 ? 0 : entries[index - 1].keyEnd
        guard entries[index].keyEnd - start == key.count else { return false }
        return keys.withUnsafeBytes {
            UnsafeRawBufferPointer(rebasing: $0[start..<start + key.count]).hasBytes(of: key)
        }
    }

    /// Adds a group that is not there. Its states are to be appended next.
    mutating func insert(_ key: UnsafeRawBufferPointer, id: RawValue) -> Int {
        if 4 * (entries.count + 1) > 3 * slots.count { grow() }
        keys.append(contentsOf: key)
        ids.append(contentsOf: id.bytes)
        let hash = Self.hash(key)
        entries.append(Entry(hash: hash, keyEnd: keys.count, idEnd: ids.count, idType: id.type))
        place(entries.count - 1, hash)
        return entries.count - 1
    }

    private mutating func place(_ index: Int, _ hash: UInt32) {
        var slot = Int(hash) & (slots.count - 1)
        while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = Int32(truncatingIfNeeded: index)
    }

    private mutating func grow() {
        slots = [Int32](repeating: -1, count: 2 * slots.count)
        for index in entries.indices { place(index, entries[index].hash) }
    }

    mutating func append(_ state: AccumulatorState) { states.append(state) }

    @inline(__always)
    mutating func update(_ index: Int, _ body: (inout AccumulatorState) throws(CommandError) -> Void)
        throws(CommandError)
    {
        bytesBeside -= states[index].byteCount
        try body(&states[index])
        bytesBeside += states[index].byteCount
    }

    func result(_ index: Int, _ run: Evaluator) throws(CommandError) -> RawValue? {
        try states[index].result(run)
    }

    /// Calls `body` with the `_id` of a group, as the group's first document had it.
    func withID<R>(_ index: Int, _ body: (RawValue) -> R) -> R {
        let start = index == 0 ? 0 : entries[index - 1].idEnd
        let end = entries[index].idEnd
        return ids.withUnsafeBytes { bytes in
            body(RawValue(type: entries[index].idType, bytes: UnsafeRawBufferPointer(rebasing: bytes[start..<end])))
        }
    }

    /// Seeded per process, so that nobody can choose keys that collide.
    private static func hash(_ key: UnsafeRawBufferPointer) -> UInt32 {
        var hasher = Hasher()
        hasher.combine(bytes: key)
        return UInt32(truncatingIfNeeded: hasher.finalize())
    }
}

extension UnsafeRawBufferPointer {
    @inline(__always)
    fileprivate func hasBytes(of other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count, let mine = baseAddress, let others = other.baseAddress else {
            return count == other.count
        }
        return memcmp(mine, others, count) == 0
    }
}
