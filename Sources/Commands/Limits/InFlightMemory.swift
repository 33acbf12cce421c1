internal import DequeModule

/// How many bytes of messages and replies all connections hold together, and who may take more. Pure.
///
/// The unit is a message, from its first bytes to the moment its reply has been taken. Before it takes more (the next
/// part of itself, its uncompressed form, a reply) it asks; when there is no room it waits in line, and its connection
/// is not read meanwhile: the client's sending comes to a halt, nothing fails.
///
/// **Nobody knows how large a reply will be.** A command asks for as much as the largest reply of late had
/// (``expectedReply``, which falls by a sixty-fourth with each smaller one). Among small replies thousands of commands
/// run at once, among batches of 16 MB some thirty, whatever their clients do.
///
/// **Somebody always gets on.** Parts of messages that wait for each other's room would wait forever. So the first in
/// line may go over the bound, one at a time: it keeps that right until its message is over, and all it asks
/// for meanwhile is granted. What is held is therefore at most the bound, one message with its reply, and what replies
/// have turned out larger than expected.
package struct InFlightMemory: Sendable {
    package typealias ID = Int64

    package static let expectedReplyMin = 4 * 1024

    package let bytesMax: Int
    /// Held now.
    package private(set) var bytes = 0
    package private(set) var expectedReply = InFlightMemory.expectedReplyMin
    /// How often somebody had to wait.
    package private(set) var waits: Int64 = 0
    /// Some of it may have withdrawn: only who is in ``wanted`` still waits.
    private var line = Deque<ID>()
    private var wanted: [ID: Int] = [:]
    private var overdrawn: ID?

    package init(bytesMax: Int) { self.bytesMax = bytesMax }

    package var waiting: Int { wanted.count }

    /// - Returns: whether the bytes are granted. If not, nothing has changed.
    package mutating func take(_ id: ID, _ count: Int) -> Bool {
        if id == overdrawn || wanted.isEmpty && bytes + count <= bytesMax {
            bytes += count
            return true
        }
        guard wanted.isEmpty, overdrawn == nil else { return false }
        overdrawn = id
        bytes += count
        return true
    }

    /// Waits for what was not granted. ``giveBack(_:_:)`` or ``withdraw(_:_:)`` of somebody else will grant it.
    package mutating func enqueue(_ id: ID, _ count: Int) {
        waits += 1
        wanted[id] = count
        line.append(id)
    }

    /// What is there already, or cannot wait.
    package mutating func add(_ count: Int) { bytes += count }

    /// The message is over; `count` is all it has.
    ///
    /// - Returns: who has waited and is granted what it asked for.
    package mutating func giveBack(_ id: ID, _ count: Int) -> [ID] {
        bytes -= count
        if overdrawn == id { overdrawn = nil }
        return grant()
    }

    /// Who waits does not need it any more. What it has is to be given back all the same.
    ///
    /// - Parameter count: what it has waited for. When that is granted by now, and it has not heard of it, it is given
    ///   back here.
    package mutating func withdraw(_ id: ID, _ count: Int) -> [ID] {
        let isGranted = wanted.removeValue(forKey: id) == nil
        if isGranted { bytes -= count }
        if line.count > 2 * wanted.count + 64 { line.removeAll { wanted[$0] == nil } }
        if overdrawn == id { overdrawn = nil }
        return grant()
    }

    /// A reply had this size.
    package mutating func replied(_ size: Int) {
        if size >= expectedReply {
            expectedReply = size
        } else {
            let floor = max(size, Self.expectedReplyMin)
            if expectedReply > floor { expectedReply -= max(1, (expectedReply - floor) / 64) }
        }
    }

    private mutating func grant() -> [ID] {
        if line.isEmpty { return [] }
        var granted: [ID] = []
        while let first = line.first {
            guard let count = wanted[first] else {
                line.removeFirst()
                continue
            }
            if bytes + count > bytesMax {
                guard overdrawn == nil else { break }
                overdrawn = first
            }
            line.removeFirst()
            wanted[first] = nil
            bytes += count
            granted.append(first)
        }
        return granted
    }
}
