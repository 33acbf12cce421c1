internal import BSON

/// The memory of one compiled program (filter, update): a copy of the source document and the nodes that point
/// into it.
///
/// Nodes are trivial structs and enums linked by plain pointers, so that running a program over a row neither
/// allocates nor touches a reference count. Rejected: an indirect enum, which retains and releases at each level of
/// each row; and offsets into a `ByteBuffer`, which need a closure per access.
///
/// Whoever runs a program keeps its arena alive over the run (`withExtendedLifetime`).
///
// Safety: written only while one thread compiles the program, immutable once the arena is published in it.
final class ProgramArena: @unchecked Sendable {
    private var blocks: [UnsafeMutableRawPointer] = []
    private var objects: [AnyObject] = []

    deinit {
        for block in blocks { block.deallocate() }
    }

    /// Copies a document, so that what is compiled may point into it.
    func copy(_ document: RawDocument) -> RawDocument {
        RawDocument(unchecked: copy(document.bytes))
    }

    func copy(_ value: RawValue) -> RawValue {
        RawValue(type: value.type, bytes: copy(value.bytes))
    }

    func copy(_ name: String) -> RawKey {
        var name = name
        return name.withUTF8 { bytes in
            let copied = copy(UnsafeRawBufferPointer(bytes))
            return RawKey(start: copied.baseAddress.unsafelyUnwrapped, count: copied.count)
        }
    }

    private func copy(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let block = allocate(byteCount: Swift.max(bytes.count, 1), alignment: 8)
        if let source = bytes.baseAddress { block.copyMemory(from: source, byteCount: bytes.count) }
        return UnsafeRawBufferPointer(start: block, count: bytes.count)
    }

    /// A field's name.
    func copy(name: [UInt8]) -> RawKey {
        let bytes = name.withUnsafeBytes(copy)
        return RawKey(start: bytes.baseAddress.unsafelyUnwrapped, count: bytes.count)
    }

    /// Moves nodes into the arena. They must be trivial: nothing destroys them.
    func list<Node>(_ nodes: [Node]) -> ArenaList<Node> {
        precondition(_isPOD(Node.self), "a node holds a reference")
        guard !nodes.isEmpty else { return ArenaList(start: nil, count: 0) }
        let block = allocate(
            byteCount: MemoryLayout<Node>.stride * nodes.count, alignment: MemoryLayout<Node>.alignment)
        let start = block.bindMemory(to: Node.self, capacity: nodes.count)
        for (offset, node) in nodes.enumerated() { (start + offset).initialize(to: node) }
        return ArenaList(start: UnsafePointer(start), count: nodes.count)
    }

    /// Keeps what a node points to as long as the program.
    func keep<Object: AnyObject>(_ object: Object) -> Unmanaged<Object> {
        objects.append(object)
        return Unmanaged.passUnretained(object)
    }

    private func allocate(byteCount: Int, alignment: Int) -> UnsafeMutableRawPointer {
        let block = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: alignment)
        blocks.append(block)
        return block
    }
}

/// A run of nodes in a ``ProgramArena``.
struct ArenaList<Node> {
    let start: UnsafePointer<Node>?
    let count: Int

    @inline(__always)
    subscript(index: Int) -> Node {
        // Every caller counts up to `count`; a list of nothing has no index.
        start.unsafelyUnwrapped[index]
    }

    @inline(__always)
    var isEmpty: Bool { count == 0 }

    /// The list without its first node.
    var dropFirst: ArenaList { ArenaList(start: start.map { $0 + 1 }, count: Swift.max(count - 1, 0)) }

    var nodes: UnsafeBufferPointer<Node> { UnsafeBufferPointer(start: start, count: count) }
}
