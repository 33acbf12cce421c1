import Testing

@testable import Storage

@Suite struct TransactionPhaseTests {
    private func open() -> TransactionPhase {
        var phase = TransactionPhase()
        #expect(phase.statementStarts(onConnectionInTransaction: false) == .begin)
        return phase
    }

    @Test("the first statement brings BEGIN, the others go on, commit ends it once")
    func life() {
        var phase = open()
        #expect(phase.endsUntouched() == false)
        #expect(phase.statementStarts(onConnectionInTransaction: true) == .proceed)
        #expect(phase.commitStarts(onConnectionInTransaction: true) == .commit)
        #expect(phase.abortOrdered() == .nothing)
        #expect(phase.ended() == true)
        #expect(phase.ended() == false)
        #expect(phase.statementStarts(onConnectionInTransaction: false) == .over)
        #expect(phase.commitStarts(onConnectionInTransaction: false) == .over)
    }

    @Test("on another connection than BEGIN ran on, nothing runs")
    func lost() {
        var phase = open()
        #expect(phase.statementStarts(onConnectionInTransaction: false) == .lost)
        #expect(phase.ended() == false)
        phase = open()
        #expect(phase.commitStarts(onConnectionInTransaction: false) == .lost)
        #expect(phase.ended() == false)
        #expect(phase.statementStarts(onConnectionInTransaction: true) == .over)
    }

    @Test("without a statement there is nothing to send at the end")
    func untouched() {
        var phase = TransactionPhase()
        #expect(phase.endsUntouched() == true)
        #expect(phase.endsUntouched() == false)
        #expect(phase.ended() == false)
        #expect(phase.statementStarts(onConnectionInTransaction: false) == .over)
        phase = TransactionPhase()
        #expect(phase.abortOrdered() == .release)
        #expect(phase.abortOrdered() == .nothing)
        #expect(phase.ended() == false)
    }

    @Test("a statement that fails gives the lane back, unless an abort is on its way there")
    func failed() {
        var phase = open()
        #expect(phase.statementFailed() == true)
        #expect(phase.abortOrdered() == .nothing)
        phase = open()
        #expect(phase.abortOrdered() == .rollBack)
        #expect(phase.statementFailed() == false)
        #expect(phase.ended() == true)
        #expect(phase.statementFailed() == false)
    }

    @Test("what was submitted behind an abort does not run")
    func behindAbort() {
        var phase = open()
        #expect(phase.abortOrdered() == .rollBack)
        #expect(phase.abortOrdered() == .nothing)
        #expect(phase.statementStarts(onConnectionInTransaction: true) == .over)
        #expect(phase.commitStarts(onConnectionInTransaction: true) == .over)
        #expect(phase.ended() == true)
    }
}
