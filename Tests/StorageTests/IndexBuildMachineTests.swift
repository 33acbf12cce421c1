import CommandModel
import Testing

@testable import Storage

@Suite("what a builder of indexes does next") struct IndexBuildMachineTests {
    private let error = CommandError(.duplicateKey, "E11000")

    private func machine(indexes: Int = 1, after: Int64? = nil, constrained: Int = 0) -> IndexBuildMachine {
        IndexBuildMachine(indexes: indexes, after: after, constrained: constrained)
    }

    @Test("reads all documents, drains the log, constrains each table, drains again and finishes")
    func success() {
        var machine = machine(indexes: 2)
        #expect(machine.action == .load(after: nil))
        machine.loaded(upTo: 7)
        #expect(machine.action == .load(after: 7))
        machine.loaded(upTo: nil)
        #expect(machine.action == .drain)
        machine.drained(isFull: true)
        #expect(machine.action == .drain)
        machine.drained(isFull: false)
        for place in 0..<2 {
            #expect(machine.action == .constrain(place))
            machine.constrained(place)
        }
        #expect(machine.action == .drain)
        machine.drained(isFull: false)
        #expect(machine.action == .finish)
        machine.finished()
        #expect(machine.action == nil)
        guard case .ready = machine.outcome else { return #expect(Bool(false), "not ready") }
    }

    @Test("a build that is taken over goes on where it was")
    func resumption() {
        #expect(machine(after: 12).action == .load(after: 12))
        var machine = machine(indexes: 2, after: 12, constrained: 1)
        #expect(machine.action == .drain)
        machine.drained(isFull: false)
        #expect(machine.action == .constrain(1))
    }

    @Test("a violation that the log may take back drains again, one that it cannot undoes the build")
    func violations() {
        var machine = machine(after: 1)
        machine.loaded(upTo: nil)
        machine.drained(isFull: false)
        machine.violated(error, isFinal: false)
        #expect(machine.action == .drain)
        machine.drained(isFull: false)
        machine.violated(error, isFinal: true)
        #expect(machine.action == .undo)
        machine.undone()
        guard case .failed(let failure) = machine.outcome else { return #expect(Bool(false), "not failed") }
        #expect(failure.code == .duplicateKey)
    }

    @Test("violations without end undo the build, and so does a log that is never empty not")
    func bounds() {
        var machine = machine(after: 1)
        machine.loaded(upTo: nil)
        for _ in 0..<IndexBuildMachine.violationsMax {
            machine.drained(isFull: false)
            #expect(machine.action == .constrain(0))
            machine.violated(error, isFinal: false)
        }
        #expect(machine.action == .undo)
        var busy = self.machine(after: 1)
        busy.loaded(upTo: nil)
        for _ in 0...IndexBuildMachine.drainsMax { busy.drained(isFull: true) }
        #expect(busy.action == .constrain(0))
    }

    @Test("whoever loses the token stops at once, whatever it does", arguments: 0..<6)
    func loss(steps: Int) {
        var machine = machine(after: 1)
        let events: [(inout IndexBuildMachine) -> Void] = [
            { $0.loaded(upTo: nil) }, { $0.drained(isFull: false) }, { $0.constrained(0) },
            { $0.drained(isFull: false) }, { $0.failed(CommandError(.interrupted, "stopped")) },
        ]
        for event in events.prefix(steps) { event(&machine) }
        machine.lost()
        #expect(machine.action == nil)
        machine.failed(error)
        machine.undone()
        guard case .takenOver = machine.outcome else { return #expect(Bool(false), "not taken over") }
    }

    @Test("answers to what was not asked change nothing")
    func strayEvents() {
        var machine = machine()
        machine.drained(isFull: false)
        machine.constrained(0)
        machine.finished()
        machine.undone()
        machine.violated(error, isFinal: true)
        #expect(machine.action == .load(after: nil))
    }
}
