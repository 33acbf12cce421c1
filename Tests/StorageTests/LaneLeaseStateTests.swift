import Testing

@testable import Storage

@Suite struct LaneLeaseStateTests {
    @Test("lanes are given out one by one, the one used last first")
    func leases() {
        var state = LaneLeaseState(laneCount: 3, waitersMax: 2)
        #expect((1...3).map { state.requested(by: $0) } == [.granted(lane: 0), .granted(lane: 1), .granted(lane: 2)])
        #expect(state.leased == 3)
        #expect(state.released(1) == nil)
        #expect(state.released(0) == nil)
        #expect(state.requested(by: 4) == .granted(lane: 0))
        #expect(state.requested(by: 5) == .granted(lane: 1))
    }

    @Test("those who wait are served in the order they came, and nobody overtakes them")
    func fifo() {
        var state = LaneLeaseState(laneCount: 1, waitersMax: 3)
        #expect(state.requested(by: 1) == .granted(lane: 0))
        #expect(state.requested(by: 2) == .waiting)
        #expect(state.requested(by: 3) == .waiting)
        #expect(state.released(0) == 2)
        #expect(state.leased == 1)
        #expect(state.requested(by: 4) == .waiting)
        #expect(state.released(0) == 3)
        #expect(state.released(0) == 4)
        #expect(state.released(0) == nil)
        #expect(state.leased == 0)
    }

    @Test("too many do not wait, and who gives up is passed over")
    func bounds() {
        var state = LaneLeaseState(laneCount: 1, waitersMax: 2)
        _ = state.requested(by: 1)
        _ = state.requested(by: 2)
        _ = state.requested(by: 3)
        #expect(state.requested(by: 4) == .full)
        #expect(state.gaveUp(2) == true)
        #expect(state.gaveUp(2) == false)
        #expect(state.gaveUp(1) == false)
        #expect(state.requested(by: 5) == .waiting)
        #expect(state.released(0) == 3)
        #expect(state.released(0) == 5)
    }

    @Test("when closed, nobody gets a lane, and lanes on lease come back")
    func closed() {
        var state = LaneLeaseState(laneCount: 1, waitersMax: 2)
        _ = state.requested(by: 1)
        _ = state.requested(by: 2)
        #expect(state.closed() == [2])
        #expect(state.requested(by: 3) == .closed)
        #expect(state.released(0) == nil)
        #expect(state.requested(by: 4) == .closed)
    }
}
