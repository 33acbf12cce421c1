package import Logging
internal import Metrics
package import NIOCore
internal import Postgres
package import SQL

/// Holds a lease as long as it can, and runs writes under it: ``Lease`` with a clock and a connection. For one task.
package struct LeaseKeeper: Sendable {
    private let engine: StorageEngine
    private let name: String
    private let holder: String
    private let terms: LeaseTerms
    private let logger: Logger
    private var lease: Lease

    /// - Parameter holder: tells this run of this server from all others.
    package init(
        _ name: String, holder: String, engine: StorageEngine, terms: LeaseTerms = LeaseTerms(), logger: Logger
    ) {
        self.engine = engine
        self.name = name
        self.holder = holder
        self.terms = terms
        self.logger = logger
        lease = Lease(terms: terms, now: .now())
    }

    /// What to work under now; nil when the work is another's. Ask before each step.
    package var token: LeaseToken? {
        lease.token(now: .now()).map { LeaseToken(name: name, number: $0) }
    }

    /// Does what is due: acquires, renews, ends.
    package mutating func tick() async {
        switch lease.clock(.now()) {
        case nil: break
        case .acquire: await acquire()
        case .renew(let token): await renew(LeaseToken(name: name, number: token))
        case .ended(let token): noteLoss(of: token, "its time was over")
        }
    }

    /// Runs a write under the lease; nil when the lease is not ours, as far as we or PostgreSQL know.
    ///
    /// - Returns: the rows it affected.
    package mutating func execute(_ statement: Statement) async throws(StorageError) -> Int? {
        guard let token else { return nil }
        do throws(StorageError) {
            return try await engine.execute(statement, under: token)
        } catch {
            guard case .postgres(let answer) = error, answer.state == .leaseMovedOn else { throw error }
            engine.metrics.leases.fenced.count()
            lease.fenced(token: token.number, now: .now())
            noteLoss(of: token.number, "a write was refused")
            return nil
        }
    }

    /// Gives the lease up, so that another server need not wait for its end.
    package mutating func release() async {
        guard let token = lease.released() else { return }
        engine.metrics.leases.held.change(by: -1)
        do throws(StorageError) {
            try await engine.releaseLease(LeaseToken(name: name, number: token))
        } catch {
            // It ends by itself.
            logger.debug("lease not released", metadata: ["lease": "\(name)", "error": "\(error)"])
        }
    }

    private mutating func acquire() async {
        do throws(StorageError) {
            let milliseconds = terms.duration.nanoseconds / 1_000_000
            guard let token = try await engine.acquireLease(name, holder: holder, milliseconds: milliseconds) else {
                return lease.refused(now: .now())
            }
            lease.acquired(token: token, now: .now())
            guard case .held = lease.state else { return }
            engine.metrics.leases.held.change(by: 1)
            engine.metrics.leases.acquired.count()
            logger.info("lease acquired", metadata: ["lease": "\(name)", "token": "\(token)"])
        } catch {
            noteFailure(error)
        }
    }

    private mutating func renew(_ token: LeaseToken) async {
        do throws(StorageError) {
            if try await engine.renewLease(token, milliseconds: terms.duration.nanoseconds / 1_000_000) {
                lease.renewed()
            } else {
                lease.refused(now: .now())
                noteLoss(of: token.number, "it was not renewed")
            }
        } catch {
            noteFailure(error)
        }
    }

    private mutating func noteFailure(_ error: StorageError) {
        lease.failed(now: .now())
        logger.debug("lease: no answer", metadata: ["lease": "\(name)", "error": "\(error)"])
    }

    private func noteLoss(of token: Int64, _ reason: String) {
        engine.metrics.leases.held.change(by: -1)
        engine.metrics.leases.lost.count()
        logger.warning(
            "lease lost", metadata: ["lease": "\(name)", "token": "\(token)", "reason": "\(reason)"])
    }
}
