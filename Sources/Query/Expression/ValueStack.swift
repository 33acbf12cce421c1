internal import BSON
internal import CommandModel

/// The fields or elements that unfinished documents and arrays of an evaluation have so far.
///
/// Nested ones share one stack: each notes where it begins, pushes what it has, and is then written in one go, when its
/// size is known.
struct ValueStack {
    private var start: UnsafeMutablePointer<RawElement>
    private var capacity: Int
    private(set) var count = 0

    /// More than an array of the smallest values can have within a document.
    private static let countMax = 8 * 1024 * 1024
    /// A larger stack is not kept for the next document.
    private static let keptMax = 64 * 1024

    init() {
        capacity = 64
        start = .allocate(capacity: capacity)
    }

    /// The stack is freed by whoever owns it, for a struct has no end of its own.
    func deallocate() { start.deallocate() }

    mutating func reset() {
        count = 0
        if capacity > Self.keptMax {
            start.deallocate()
            self = ValueStack()
        }
    }

    mutating func push(_ element: RawElement) throws(CommandError) {
        if count == capacity { try grow() }
        (start + count).initialize(to: element)
        count += 1
    }

    private mutating func grow() throws(CommandError) {
        guard capacity < Self.countMax else {
            throw CommandError(.exceededMemoryLimit, "an expression makes more than \(Self.countMax) elements")
        }
        let larger = UnsafeMutablePointer<RawElement>.allocate(capacity: 2 * capacity)
        larger.moveInitialize(from: start, count: count)
        start.deallocate()
        start = larger
        capacity *= 2
    }

    /// What was pushed since `base`. Valid until the next push.
    func elements(from base: Int) -> UnsafeMutableBufferPointer<RawElement> {
        UnsafeMutableBufferPointer(start: start + base, count: max(count - base, 0))
    }

    mutating func removeAll(from base: Int) { count = min(base, count) }

    /// An element that was pushed; `index` is below ``count``.
    subscript(index: Int) -> RawElement {
        @inline(__always) get { start[index] }
        @inline(__always) nonmutating set { start[index] = newValue }
    }
}

// Documents and arrays.
extension Scratch {
    func document(_ fields: UnsafeMutableBufferPointer<RawElement>) throws(CommandError) -> RawValue {
        var count = 5
        for field in fields { count += field.key.count + field.value.count + 2 }
        var writer = RawWriter(start: try allocate(count), count: count)
        for field in fields { writer.write(field.value, named: field.key) }
        return writer.finish(.document)
    }

    /// An array of the elements' values; their names are not looked at.
    func array(_ elements: UnsafeMutableBufferPointer<RawElement>) throws(CommandError) -> RawValue {
        var count = 5
        var index = 0
        for element in elements {
            count += element.value.count + 2 + Self.digitCount(index)
            index += 1
        }
        var writer = RawWriter(start: try allocate(count), count: count)
        index = 0
        for element in elements {
            withIndexName(index) { writer.write(element.value, named: $0) }
            index += 1
        }
        return writer.finish(.array)
    }

    private static func digitCount(_ index: Int) -> Int {
        var (count, limit) = (1, 10)
        while index >= limit {
            count += 1
            limit *= 10
        }
        return count
    }
}

/// Writes the elements of one document into memory of exactly its size.
struct RawWriter {
    let start: UnsafeMutableRawPointer
    let count: Int
    private var position = 4

    init(start: UnsafeMutableRawPointer, count: Int) {
        (self.start, self.count) = (start, count)
        start.storeBytes(of: Int32(truncatingIfNeeded: count).littleEndian, as: Int32.self)
        start.storeBytes(of: 0, toByteOffset: count - 1, as: UInt8.self)
    }

    @inline(__always)
    mutating func write(_ value: RawValue, named key: RawKey) {
        start.storeBytes(of: value.type.rawValue, toByteOffset: position, as: UInt8.self)
        (start + position + 1).copyMemory(from: key.start, byteCount: key.count)
        start.storeBytes(of: 0, toByteOffset: position + 1 + key.count, as: UInt8.self)
        (start + position + 2 + key.count).copyMemory(from: value.start, byteCount: value.count)
        position += 2 + key.count + value.count
    }

    func finish(_ type: BSONType) -> RawValue { RawValue(type: type, start: start, count: count) }
}
