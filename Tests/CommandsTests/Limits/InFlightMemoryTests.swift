import Testing

@testable import Commands

/// Expectations take no mutating calls.
private final class Memory {
    private(set) var state: InFlightMemory

    init(bytesMax: Int) { state = InFlightMemory(bytesMax: bytesMax) }

    func take(_ id: Int64, _ count: Int) -> Bool { state.take(id, count) }
    func enqueue(_ id: Int64, _ count: Int) { state.enqueue(id, count) }
    func giveBack(_ id: Int64, _ count: Int) -> [Int64] { state.giveBack(id, count) }
    func withdraw(_ id: Int64, _ count: Int) -> [Int64] { state.withdraw(id, count) }
    func replied(_ size: Int) { state.replied(size) }
}

@Suite("memory for messages in flight")
struct InFlightMemoryTests {
    @Test("who finds no room waits, in line, until somebody gives back")
    func line() {
        let memory = Memory(bytesMax: 100)
        #expect(memory.take(1, 60))
        // The first that finds no room goes over the bound.
        #expect(memory.take(2, 60))
        #expect(!memory.take(3, 10))
        memory.enqueue(3, 10)
        #expect(!memory.take(4, 1), "nobody overtakes")
        memory.enqueue(4, 1)
        #expect(memory.state.bytes == 120 && memory.state.waiting == 2 && memory.state.waits == 2)
        #expect(memory.giveBack(1, 60) == [3, 4])
        #expect(memory.state.bytes == 71)
    }

    @Test("one at a time may go over the bound, and may go on with it")
    func overdraft() {
        let memory = Memory(bytesMax: 100)
        #expect(memory.take(1, 90))
        #expect(memory.take(2, 50))
        #expect(memory.take(2, 1_000), "who is over the bound gets all it asks for")
        #expect(!memory.take(3, 50))
        memory.enqueue(3, 50)
        #expect(memory.giveBack(1, 90).isEmpty, "there is no room yet")
        #expect(memory.take(5, 1) == false)
        #expect(memory.giveBack(2, 1_050) == [3], "then the next one may")
        #expect(memory.take(4, 50) && memory.state.bytes == 100)
    }

    @Test("who goes away gives back what it has, waited for or was granted without having heard of it")
    func withdrawal() {
        let memory = Memory(bytesMax: 100)
        #expect(memory.take(1, 100) && memory.take(2, 5))
        for id in [3, 4] as [Int64] { memory.enqueue(id, 20) }
        #expect(memory.withdraw(3, 20).isEmpty)
        #expect(memory.state.bytes == 105 && memory.state.waiting == 1)
        #expect(memory.giveBack(1, 100) == [4])
        #expect(memory.withdraw(4, 20).isEmpty)
        #expect(memory.giveBack(2, 5).isEmpty)
        #expect(memory.state.bytes == 0)
    }

    @Test("a large reply makes commands ask for more, many small ones for less")
    func expectedReply() {
        let memory = Memory(bytesMax: 100)
        memory.replied(16_000_000)
        #expect(memory.state.expectedReply == 16_000_000)
        for _ in 0..<1_000 { memory.replied(100) }
        #expect(memory.state.expectedReply < 2 * InFlightMemory.expectedReplyMin)
        for _ in 0..<1_000_000 { memory.replied(0) }
        #expect(memory.state.expectedReply == InFlightMemory.expectedReplyMin)
    }

    /// Messages that grow part by part, wait, go away at any time. Whatever the order, all come to an end, and never is
    /// more held than the bound and one message.
    @Test("somebody always gets on", arguments: 1...40 as ClosedRange<UInt64>)
    func schedule(seed: UInt64) {
        var random = Random(state: seed)
        let bound = 100
        let memory = Memory(bytesMax: bound)
        var running: [Int64: (held: Int, left: Int)] = [:]
        var waiting: [Int64: Int] = [:]
        for id in 1...30 as ClosedRange<Int64> { running[id] = (0, Int.random(in: 1...150, using: &random)) }
        var steps = 0
        while !running.isEmpty, steps < 100_000 {
            steps += 1
            guard let id = running.keys.sorted().randomElement(using: &random), let message = running[id] else { break }
            var granted: [Int64] = []
            if let part = waiting[id] {
                guard Int.random(in: 0..<50, using: &random) == 0 else { continue }
                granted = memory.withdraw(id, part) + memory.giveBack(id, message.held)
                (running[id], waiting[id]) = (nil, nil)
            } else if message.left == 0 {
                granted = memory.giveBack(id, message.held)
                running[id] = nil
            } else {
                let part = min(message.left, Int.random(in: 1...40, using: &random))
                running[id]?.left -= part
                if memory.take(id, part) {
                    running[id]?.held += part
                } else {
                    memory.enqueue(id, part)
                    waiting[id] = part
                }
            }
            for id in granted {
                running[id]?.held += waiting.removeValue(forKey: id) ?? 0
            }
            #expect(memory.state.bytes <= bound + 150)
            #expect(memory.state.bytes == running.values.reduce(0) { $0 + $1.held })
            #expect(waiting.count < max(1, running.count), "all wait for each other")
        }
        #expect(running.isEmpty && memory.state.bytes == 0 && memory.state.waiting == 0, "seed \(seed)")
    }

    private struct Random: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    @Test("the gate tells who has waited, and takes back what nobody has heard of")
    func gate() throws {
        let gate = MemoryGate(bytesMax: 200)
        var (first, second, third) = (MemoryShare(id: 1), MemoryShare(id: 2), MemoryShare(id: 3))
        let refused1 = gate.grow(&first, toHold: 80)
        #expect(refused1 == nil)
        let refused2 = gate.grow(&first, toHold: 80)
        #expect(refused2 == nil)
        let refused3 = gate.grow(&second, toHold: 80)
        #expect(refused3 == nil)
        #expect(gate.figures.bytes == 160)
        let none = gate.grow(&third, toHold: 50)
        let missing = try #require(none, "there is no room")
        let told = Told()
        gate.wait(third, missing: missing, of: .messages) { told.tell() }
        gate.end(first, reply: nil)
        #expect(told.count == 0, "the second is over the bound still")
        gate.end(second, reply: 10)
        #expect(told.count == 1)
        #expect(gate.figures.bytes == 50)
        gate.withdraw(third, missing: missing, of: .messages)
        #expect(gate.figures.bytes == 0 && gate.figures.waits == 1)
    }

    @Test("messages do not take the room of answers; a reply that turns out larger is counted")
    func halves() {
        let gate = MemoryGate(bytesMax: 2 * InFlightMemory.expectedReplyMin)
        var (hog, command) = (MemoryShare(id: 1), MemoryShare(id: 2))
        let refused4 = gate.grow(&hog, toHold: 1_000_000)
        #expect(refused4 == nil)
        let refused5 = gate.makeRoom(for: 0, andReply: true, &command)
        #expect(refused5 == nil)
        gate.replied(5 * InFlightMemory.expectedReplyMin, beside: 0, &command)
        #expect(gate.figures.bytes == 1_000_000 + 5 * InFlightMemory.expectedReplyMin)
        gate.end(command, reply: 5 * InFlightMemory.expectedReplyMin)
        #expect(gate.figures.expectedReply == 5 * InFlightMemory.expectedReplyMin)
        gate.end(hog, reply: nil)
        #expect(gate.figures.bytes == 0)
    }

    // Safety: used by one thread.
    private final class Told: @unchecked Sendable {
        private(set) var count = 0
        func tell() { count += 1 }
    }
}
