internal import BSON
internal import CommandModel

/// The fields of a document in the making, on an evaluator's stack: a field replaces the one of its name that is there
/// already, in its place.
struct FieldSet {
    /// With so few fields a walk over them is faster than a look into a table.
    private static let walkedMax = 16

    private let run: Evaluator
    private let base: Int
    /// Positions from 1 on by the hash of the name, in scratch memory; 0 where there is none.
    private var table: UnsafeMutableRawPointer?
    private var capacity = 0

    init(_ run: Evaluator) {
        self.run = run
        base = run.stack.count
    }

    private var count: Int { run.stack.count - base }

    mutating func put(_ element: RawElement) throws(CommandError) {
        try run.spend()
        if count >= Self.walkedMax {
            try putIndexed(element)
        } else if let index = (base..<run.stack.count).first(where: { run.stack[$0].key == element.key }) {
            run.stack[index] = element
        } else {
            try run.stack.push(element)
        }
    }

    func pop() throws(CommandError) -> RawValue { try run.popDocument(from: base) }

    private mutating func putIndexed(_ element: RawElement) throws(CommandError) {
        if capacity < 2 * (count + 1) { try grow() }
        let slot = slot(of: element.key)
        let position = self[slot]
        guard position == 0 else {
            run.stack[base + position - 1] = element
            return
        }
        try run.stack.push(element)
        self[slot] = count
    }

    /// A table twice as large as need be, so that it does not grow with each field.
    private mutating func grow() throws(CommandError) {
        capacity = 8 * Self.walkedMax
        while capacity < 4 * count { capacity *= 2 }
        let start = try run.scratch.allocate(capacity * MemoryLayout<Int32>.size)
        start.initializeMemory(as: UInt8.self, repeating: 0, count: capacity * MemoryLayout<Int32>.size)
        table = start
        for position in 1...count { self[slot(of: run.stack[base + position - 1].key)] = position }
    }

    /// Where the name is, or is to be. The hash is seeded anew in each process: nobody can choose names that meet.
    private func slot(of key: RawKey) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: key.bytes)
        var slot = hasher.finalize() & (capacity - 1)
        while self[slot] != 0, run.stack[base + self[slot] - 1].key != key { slot = (slot + 1) & (capacity - 1) }
        return slot
    }

    private subscript(slot: Int) -> Int {
        get { Int(table?.loadUnaligned(fromByteOffset: slot * MemoryLayout<Int32>.size, as: Int32.self) ?? 0) }
        nonmutating set {
            table?.storeBytes(
                of: Int32(truncatingIfNeeded: newValue), toByteOffset: slot * MemoryLayout<Int32>.size, as: Int32.self)
        }
    }
}
