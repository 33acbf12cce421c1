internal import BSON
internal import CommandModel

/// Values in the order in which they came, as the bytes of an array that is complete at any time: `$push`.
final class ValueList {
    private var block: UnsafeMutableRawBufferPointer
    /// Without the closing NUL.
    private var used = 4
    private(set) var count = 0

    init() {
        block = .allocate(byteCount: 32, alignment: 8)
        close()
    }

    deinit { block.deallocate() }

    func append(_ value: RawValue) throws(CommandError) {
        // Type, at most ten digits, their NUL, the value, the closing NUL.
        let needed = used + value.count + 13
        if needed > block.count { try grow(to: needed) }
        let start = block.baseAddress.unsafelyUnwrapped
        start.storeBytes(of: value.type.rawValue, toByteOffset: used, as: UInt8.self)
        used += 1
        withIndexName(count) { name in
            (start + used).copyMemory(from: name.start, byteCount: name.count)
            used += name.count
        }
        start.storeBytes(of: 0, toByteOffset: used, as: UInt8.self)
        (start + used + 1).copyMemory(from: value.start, byteCount: value.count)
        used += 1 + value.count
        count += 1
        close()
    }

    private func close() {
        let start = block.baseAddress.unsafelyUnwrapped
        start.storeBytes(of: Int32(truncatingIfNeeded: used + 1).littleEndian, as: Int32.self)
        start.storeBytes(of: 0, toByteOffset: used, as: UInt8.self)
    }

    private func grow(to needed: Int) throws(CommandError) {
        guard needed <= AccumulatorState.bytesMax else { throw AccumulatorState.outOfMemory("$push") }
        let larger = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(needed, min(2 * block.count, AccumulatorState.bytesMax)), alignment: 8)
        larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: block[..<used]))
        block.deallocate()
        block = larger
    }

    /// Valid until the next value comes.
    var array: RawValue {
        RawValue(type: .array, bytes: UnsafeRawBufferPointer(rebasing: block[..<(used + 1)]))
    }

    var elements: RawDocument { array.container ?? .none }

    var byteCount: Int { block.count + 64 }
}

/// Values without those that equal an earlier one, in the order in which they came: `$addToSet`.
final class DistinctValues {
    private let list = ValueList()
    private var keys: Set<[UInt8]> = []
    private var keyBytes = 0

    func insert(_ value: RawValue, _ order: ValueOrder) throws(CommandError) {
        let key = order.key(of: value)
        let keyCount = key.count
        guard keys.insert(key).inserted else { return }
        keyBytes += keyCount + 48
        guard byteCount <= AccumulatorState.bytesMax else { throw AccumulatorState.outOfMemory("$addToSet") }
        try list.append(value)
    }

    /// Valid until the next value comes.
    var array: RawValue { list.array }

    var elements: RawDocument { list.elements }

    var byteCount: Int { list.byteCount + keyBytes + 48 }
}

/// The first or the last `limit` values: `$firstN` and `$lastN`.
final class ValueRow {
    private let limit: Int
    private let keepsLast: Bool
    /// A ring once it is full of last values.
    private var values: [KeptValue] = []
    private var start = 0
    private var longBytes = 0

    init(limit: Int, keepsLast: Bool) {
        (self.limit, self.keepsLast) = (limit, keepsLast)
    }

    func add(_ value: RawValue) throws(CommandError) {
        if values.count < limit {
            values.append(KeptValue(value))
            longBytes += values[values.count - 1].byteCount
        } else if keepsLast {
            longBytes -= values[start].byteCount
            values[start].set(value)
            longBytes += values[start].byteCount
            start = start + 1 == limit ? 0 : start + 1
        }
        guard byteCount <= AccumulatorState.bytesMax else {
            throw AccumulatorState.outOfMemory(keepsLast ? "$lastN" : "$firstN")
        }
    }

    func merge(_ later: ValueRow) throws(CommandError) {
        for offset in 0..<later.values.count {
            try later.values[later.place(offset)].withValue { value throws(CommandError) in try add(value) }
        }
    }

    private func place(_ offset: Int) -> Int { (start + offset) % max(values.count, 1) }

    func array(_ run: Evaluator) throws(CommandError) -> RawValue {
        let base = run.stack.count
        for offset in 0..<values.count {
            if let value = try values[place(offset)].value(run) { try run.push(value) }
        }
        return try run.popArray(from: base)
    }

    var byteCount: Int { values.capacity * MemoryLayout<KeptValue>.stride + longBytes + 96 }
}
