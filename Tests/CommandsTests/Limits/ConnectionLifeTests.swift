import Testing

@testable import Commands

@Suite("how long a connection may go on with what it does")
struct ConnectionLifeTests {
    private let limits: ConnectionLife.Limits = {
        var limits = ConnectionLife.Limits()
        limits.handshakeSeconds = 5
        limits.messageSeconds = 3
        limits.replySeconds = 4
        limits.idleSeconds = 10
        limits.strangerIdleSeconds = 7
        return limits
    }()

    /// The ticks that go by before the connection is ended, and why; nil when it still is not after a thousand.
    private func end(
        of life: ConnectionLife, isReading: Bool = true, isStranger: Bool = false, limits: ConnectionLife.Limits? = nil,
        each: (inout ConnectionLife) -> Void = { _ in }
    ) -> (ticks: Int, ending: ConnectionLife.Ending)? {
        var life = life
        for tick in 1...1_000 {
            each(&life)
            if let ending = life.tick(limits ?? self.limits, isReading: isReading, isStranger: isStranger) {
                return (tick, ending)
            }
        }
        return nil
    }

    private func life(_ events: (inout ConnectionLife) -> Void) -> ConnectionLife {
        var life = ConnectionLife()
        events(&life)
        return life
    }

    private var greeted: ConnectionLife {
        life {
            $0.arrived(100)
            $0.framed(100)
        }
    }

    @Test("who says nothing, or never finishes its first message, is closed")
    func handshake() {
        #expect(end(of: ConnectionLife())! == (6, .handshake))
        var patient = limits
        patient.messageSeconds = 100
        #expect(end(of: ConnectionLife(), limits: patient) { $0.arrived(1) }! == (6, .handshake))
    }

    @Test("a message that trickles is closed, before and after the first one, and while a command runs")
    func slowMessage() {
        #expect(end(of: ConnectionLife()) { $0.arrived(1) }! == (4, .slowMessage))
        #expect(end(of: greeted) { $0.arrived(1) }! == (4, .slowMessage))
        let serving = life {
            $0.arrived(120)
            $0.framed(100)
            $0.beganServing()
        }
        #expect(end(of: serving)! == (4, .slowMessage))
    }

    @Test("a large message may take long as long as it gets on, and not longer when it was fast before")
    func largeMessage() {
        let rate = ConnectionLife.bytesPerSecondMin
        #expect(end(of: greeted) { $0.arrived(rate) } == nil)
        #expect(end(of: greeted) { $0.arrived(rate / 2) }! == (7, .slowMessage))
        #expect(end(of: life { $0.arrived(47_000_000) })! == (5, .slowMessage))
    }

    @Test("what the server itself leaves unread is not held against the client")
    func heldBack() {
        let partial = life {
            $0.arrived(120)
            $0.framed(100)
        }
        #expect(end(of: partial, isReading: false) == nil)
        #expect(end(of: partial, isReading: true)! == (4, .slowMessage))
    }

    @Test("a command may take its time, a client that does not take its reply may not")
    func replying() {
        let serving = life { $0.beganServing() }
        #expect(end(of: serving) == nil)
        #expect(end(of: life { $0.beganReplying(bytes: 16_000_000) })! == (6, .slowReader))
        #expect(
            end(
                of: life {
                    $0.beganReplying(bytes: 100); $0.beganServing()
                }) == nil)
    }

    @Test("a client that takes its reply slowly is given time, one that stops in the middle is not")
    func slowReader() {
        let rate = ConnectionLife.bytesPerSecondMin
        var (slow, stalled) = (ConnectionLife(), ConnectionLife())
        slow.beganReplying(bytes: 100 * rate)
        stalled.beganReplying(bytes: 100 * rate)
        for tick in 1...90 {
            let isOver = slow.tick(limits, pending: (100 - tick) * rate)
            #expect(isOver == nil)
            guard tick < 10 else { continue }
            let ending = stalled.tick(limits, pending: 20 * rate)
            #expect(ending == (tick > 5 ? .slowReader : nil), "tick \(tick)")
        }
    }

    @Test("an idle connection ends after a while, that of who has not logged in sooner, and never when nobody says so")
    func idle() {
        #expect(end(of: greeted)! == (11, .idle))
        #expect(end(of: greeted, isStranger: true)! == (8, .idle))
        #expect(
            end(of: greeted) {
                $0.arrived(10); $0.framed(10); $0.beganServing(); $0.becameIdle()
            } == nil)
        var endless = limits
        endless.idleSeconds = 0
        #expect(end(of: greeted, limits: endless) == nil)
        #expect(end(of: greeted, isStranger: true, limits: endless)! == (8, .idle))
    }
}
