import NIOCore
import Testing

@testable import Storage

@Suite struct LeaseStateTests {
    private func at(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .seconds(100 + seconds) }

    /// Held since second 0 under token 7; ends at 16, is to be renewed from 7 on.
    private func held() -> Lease {
        var lease = Lease(terms: LeaseTerms(), now: at(0))
        #expect(lease.clock(at(0)) == .acquire)
        lease.acquired(token: 7, now: at(1))
        return lease
    }

    @Test("a new lease is asked for at once, and once")
    func acquire() {
        var lease = Lease(terms: LeaseTerms(), now: at(0))
        #expect(lease.token(now: at(0)) == nil)
        #expect(lease.clock(at(0)) == .acquire)
        #expect(lease.clock(at(1)) == nil)
        lease.acquired(token: 7, now: at(1))
        #expect(lease.token(now: at(1)) == 7)
    }

    @Test("the holder stops before PostgreSQL lets another in, counted from when it asked")
    func ends() {
        var lease = held()
        #expect(lease.token(now: at(15)) == 7)
        #expect(lease.token(now: at(16)) == nil)
        #expect(lease.clock(at(16)) == .ended(token: 7))
        #expect(lease.clock(at(16)) == .acquire)
    }

    @Test("an answer that was slept over gives nothing")
    func lateAnswer() {
        var lease = Lease(terms: LeaseTerms(), now: at(0))
        #expect(lease.clock(at(0)) == .acquire)
        lease.acquired(token: 7, now: at(16))
        #expect(lease.token(now: at(16)) == nil)
        #expect(lease.clock(at(16)) == .acquire)
    }

    @Test("a renewal counts from when it was sent, however late its answer comes")
    func renewal() {
        var lease = held()
        #expect(lease.clock(at(6)) == nil)
        #expect(lease.clock(at(7)) == .renew(token: 7))
        #expect(lease.clock(at(8)) == nil)
        lease.renewed()
        #expect(lease.token(now: at(22)) == 7 && lease.token(now: at(23)) == nil)
        #expect(lease.clock(at(13)) == nil)
        #expect(lease.clock(at(14)) == .renew(token: 7))
    }

    @Test("a renewal answered after the end, which was noticed, does not revive the token")
    func renewedAfterEnd() {
        var lease = held()
        #expect(lease.clock(at(15)) == .renew(token: 7))
        #expect(lease.clock(at(16)) == .ended(token: 7))
        lease.renewed()
        #expect(lease.token(now: at(16)) == nil)
    }

    @Test("who is refused waits, and asks again")
    func refused() {
        var lease = Lease(terms: LeaseTerms(), now: at(0))
        #expect(lease.clock(at(0)) == .acquire)
        lease.refused(now: at(1))
        #expect(lease.clock(at(5)) == nil)
        #expect(lease.clock(at(6)) == .acquire)
    }

    @Test("a refused renewal is the end of the lease")
    func renewalRefused() {
        var lease = held()
        #expect(lease.clock(at(7)) == .renew(token: 7))
        lease.refused(now: at(8))
        #expect(lease.token(now: at(8)) == nil)
        #expect(lease.clock(at(12)) == nil && lease.clock(at(13)) == .acquire)
    }

    @Test("without an answer a lease is kept to its old end, and asked for again")
    func noAnswer() {
        var lease = held()
        #expect(lease.clock(at(7)) == .renew(token: 7))
        lease.failed(now: at(9))
        #expect(lease.token(now: at(15)) == 7 && lease.token(now: at(16)) == nil)
        #expect(lease.clock(at(9)) == nil)
        #expect(lease.clock(at(10)) == .renew(token: 7))
        lease.failed(now: at(16))
        #expect(lease.clock(at(16)) == .ended(token: 7))
        #expect(lease.clock(at(16)) == .acquire)
        lease.failed(now: at(17))
        #expect(lease.clock(at(17)) == nil && lease.clock(at(18)) == .acquire)
    }

    @Test("a fenced write ends the lease it was sent under, and no other")
    func fenced() {
        var lease = held()
        lease.fenced(token: 6, now: at(2))
        #expect(lease.token(now: at(2)) == 7)
        lease.fenced(token: 7, now: at(2))
        #expect(lease.token(now: at(2)) == nil)
        #expect(lease.clock(at(6)) == nil && lease.clock(at(7)) == .acquire)
    }

    @Test("a lease that was given up is not asked for again")
    func released() {
        var lease = held()
        #expect(lease.released() == 7)
        #expect(lease.token(now: at(2)) == nil && lease.clock(at(1_000)) == nil && lease.released() == nil)
    }

    /// Two holders and PostgreSQL's row, with requests and answers that take their time and clocks that stand still for
    /// a while: as long as nobody sleeps between looking and doing, no two work at once.
    @Test("two holders whose clocks run alike never hold at once", arguments: 0..<200 as Range<UInt64>)
    func exclusive(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var row = (holder: -1, token: Int64(0), expires: Int64(0))
        var leases = [Lease(terms: LeaseTerms(), now: at(0)), Lease(terms: LeaseTerms(), now: at(0))]
        for second in 0..<400 as Range<Int64> {
            // A process that sleeps neither looks nor works.
            let awake = [0, 1].filter { _ in Int.random(in: 0..<12, using: &generator) > 0 }
            for holder in awake { step(&leases[holder], holder, second, &row, &generator) }
            let working = awake.filter { leases[$0].token(now: at(second)) != nil }
            #expect(working.count <= 1, "seed \(seed), second \(second)")
            for holder in working { #expect(leases[holder].token(now: at(second)) == row.token, "seed \(seed)") }
        }
    }

    private func step(
        _ lease: inout Lease, _ holder: Int, _ second: Int64, _ row: inout (holder: Int, token: Int64, expires: Int64),
        _ generator: inout SeededGenerator
    ) {
        let isAnswered = Int.random(in: 0..<4, using: &generator) > 0
        let isDone = isAnswered || Bool.random(using: &generator)
        switch lease.clock(at(second)) {
        case nil, .ended?: return
        case .acquire?:
            guard isDone else { return lease.failed(now: at(second)) }
            let isFree = row.expires <= second || row.holder == holder
            if isFree { row = (holder, row.token + 1, second + 20) }
            guard isAnswered else { return lease.failed(now: at(second)) }
            if isFree { lease.acquired(token: row.token, now: at(second)) } else { lease.refused(now: at(second)) }
        case .renew(let token)?:
            guard isDone else { return lease.failed(now: at(second)) }
            let isHeld = row.token == token && row.expires > second
            if isHeld { row.expires = second + 20 }
            guard isAnswered else { return lease.failed(now: at(second)) }
            if isHeld { lease.renewed() } else { lease.refused(now: at(second)) }
        }
    }
}
