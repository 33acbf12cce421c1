package import NIOCore

/// How long a lease lasts, and what its holder does when.
package struct LeaseTerms: Sendable {
    /// From an answer of PostgreSQL to the moment another may take the lease.
    package var duration = TimeAmount.seconds(20)
    /// The holder stops this long before that.
    package var margin = TimeAmount.seconds(4)
    /// The holder asks for more time after this.
    package var renewAfter = TimeAmount.seconds(7)
    /// Who was refused asks again after this.
    package var retryAfter = TimeAmount.seconds(5)
    /// After a request without an answer.
    package var retryAfterFailure = TimeAmount.seconds(1)

    package init() {}
}

/// One server's view of a lease: may it do the background work now? Pure: no clock, no connection; ``LeaseKeeper``
/// feeds it events and carries out what it says.
///
/// Servers that share a database want a piece of work done by one of them at a time. A row in `martlet.leases` says by
/// whom, until when, and under which token; the token grows with each new holder.
///
/// The obvious design stops there: ask for the lease, and work while it lasts. It is wrong, because "while it lasts" is
/// judged by a process that may be asleep. Between the look at the clock and the write that follows, the process can be
/// stopped for an hour (SIGSTOP, a suspended virtual machine, a page that swaps in); it wakes with the write in its
/// hand, and another server has been doing the work meanwhile. No margin and no clock repairs that. The usual repair,
/// an advisory lock that its session holds, ends with the connection, and a stopped process keeps its connection: then
/// nobody does the work for that hour.
///
/// So two things, one for safety, one for courtesy:
///
/// - **The fence.** Every write of a background job is sent in one transaction with `martlet.check_lease(name, token)`,
///   which fails unless that very token still holds, and locks the row until the commit. It does not matter when the
///   process wakes: PostgreSQL refuses. Check and write travel in one sync group of the pipeline, so that a process
///   stopped between the two does not sit on an open transaction, and on the lock.
/// - **This state machine.** It keeps a holder from even trying: it counts from the moment *before* a request was sent,
///   when PostgreSQL had not started its own count yet, on its own monotonic clock, and stops `margin` early. Its time
///   is therefore over before PostgreSQL's is, as long as two clocks agree on the length of 20 seconds within a fifth.
///
/// Invariants: ``token(now:)`` gives a token only while the state is `held` and its end has not come; an end is never
/// later than the sending of the request that earned it plus duration minus margin; an answer that comes when it is not
/// waited for (the lease ended meanwhile) changes nothing; a token that was given up is never used again.
///
/// A request without an answer may have worked or not. For a renewal that means: the old end stays. For an acquisition:
/// ask again; a holder that asks for its own lease gets a new token, which voids whatever was sent under the last one.
package struct Lease: Sendable {
    package enum State: Sendable, Equatable {
        /// Not held. Asks when the time has come.
        case waiting(until: NIODeadline)
        case acquiring(since: NIODeadline)
        case held(Holding)
    }

    package struct Holding: Sendable, Equatable {
        package let token: Int64
        package fileprivate(set) var endsAt: NIODeadline
        package fileprivate(set) var renewsAt: NIODeadline
        /// A renewal was sent then, and not answered.
        package fileprivate(set) var renewingSince: NIODeadline?
    }

    package enum Action: Sendable, Equatable {
        case acquire
        case renew(token: Int64)
        /// The holder has stopped itself: to be told, nothing else is to be done.
        case ended(token: Int64)
    }

    private let terms: LeaseTerms
    package private(set) var state: State

    package init(terms: LeaseTerms, now: NIODeadline) {
        self.terms = terms
        state = .waiting(until: now)
    }

    /// The token to work under; nil when no work may begin.
    package func token(now: NIODeadline) -> Int64? {
        guard case .held(let holding) = state, now < holding.endsAt else { return nil }
        return holding.token
    }

    /// To be called about every second, and before each step of the work.
    package mutating func clock(_ now: NIODeadline) -> Action? {
        switch state {
        case .waiting(let until):
            guard now >= until else { return nil }
            state = .acquiring(since: now)
            return .acquire
        case .acquiring: return nil
        case .held(var holding):
            if now >= holding.endsAt {
                state = .waiting(until: now)
                return .ended(token: holding.token)
            }
            guard holding.renewingSince == nil, now >= holding.renewsAt else { return nil }
            holding.renewingSince = now
            state = .held(holding)
            return .renew(token: holding.token)
        }
    }

    package mutating func acquired(token: Int64, now: NIODeadline) {
        guard case .acquiring(let since) = state else { return }
        let endsAt = since + terms.duration - terms.margin
        // Slept over it: the answer tells of a past in which the lease was ours.
        guard now < endsAt else {
            state = .waiting(until: now)
            return
        }
        state = .held(Holding(token: token, endsAt: endsAt, renewsAt: since + terms.renewAfter))
    }

    package mutating func renewed() {
        guard case .held(var holding) = state, let since = holding.renewingSince else { return }
        holding.endsAt = since + terms.duration - terms.margin
        holding.renewsAt = since + terms.renewAfter
        holding.renewingSince = nil
        state = .held(holding)
    }

    /// PostgreSQL says that the lease is another's, or has ended.
    package mutating func refused(now: NIODeadline) {
        switch state {
        case .acquiring: state = .waiting(until: now + terms.retryAfter)
        case .held(let holding) where holding.renewingSince != nil: state = .waiting(until: now + terms.retryAfter)
        case .held, .waiting: break
        }
    }

    /// The request has no answer.
    package mutating func failed(now: NIODeadline) {
        switch state {
        case .acquiring: state = .waiting(until: now + terms.retryAfterFailure)
        case .held(var holding) where holding.renewingSince != nil:
            holding.renewingSince = nil
            holding.renewsAt = now + terms.retryAfterFailure
            state = .held(holding)
        case .held, .waiting: break
        }
    }

    /// A write under `token` was refused by the fence.
    package mutating func fenced(token: Int64, now: NIODeadline) {
        guard case .held(let holding) = state, holding.token == token else { return }
        state = .waiting(until: now + terms.retryAfter)
    }

    /// The server ends. Returns the token to give up, if there is one.
    package mutating func released() -> Int64? {
        defer { state = .waiting(until: .distantFuture) }
        guard case .held(let holding) = state else { return nil }
        return holding.token
    }
}
