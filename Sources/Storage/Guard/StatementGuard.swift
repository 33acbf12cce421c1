package import CommandModel
internal import NIOConcurrencyHelpers
internal import NIOCore

/// The guard of one running command: ``GuardState``, shared with the closures that run its statements.
package final class StatementGuard: Sendable {
    package let identity: RetryIdentity
    private let state: NIOLockedValueBox<GuardState>

    package init(_ identity: RetryIdentity) {
        self.identity = identity
        state = NIOLockedValueBox(GuardState(number: identity.number, fingerprint: identity.fingerprint))
    }

    /// The numbers of the statements that were answered from what is recorded.
    package var repeatedStatements: [Int32] { state.withLockedValue { $0.repeated } }

    /// The transaction of this number was committed.
    var isCommitted: Bool { state.withLockedValue { $0.isCommitted } }

    var hasRecordings: Bool { state.withLockedValue { $0.step > 0 } }

    func repeatedResult(of statement: Int32) -> Result<WriteTally, CommandError>? {
        state.withLockedValue { $0.repeatedResult(of: statement) }
    }

    func hasResult(of statement: Int32) -> Bool { state.withLockedValue { $0.result(of: statement) != nil } }

    /// The positions of the statements that did not take effect before, and the errors of those that failed before.
    func split(_ statements: [Int32]) -> (open: [Int], errors: [(index: Int, error: CommandError)]) {
        var open: [Int] = []
        var errors: [(index: Int, error: CommandError)] = []
        for (position, statement) in statements.enumerated() {
            switch repeatedResult(of: statement) {
            case nil: open.append(position)
            case .failure(let error)?: errors.append((position, error))
            case .success?: break
            }
        }
        return (open, errors)
    }

    func claim(_ statement: Int32) -> StatementClaim {
        StatementClaim(identity: identity, statement: statement, step: state.withLockedValue { $0.step } &+ 1)
    }

    func recorded() { state.withLockedValue { $0.recorded() } }

    func loaded(number: Int64, step: Int32, results: ByteBuffer) throws(CommandError) {
        let refusal: CommandError? = state.withLockedValue { state in
            do throws(CommandError) {
                try state.loaded(number: number, step: step, results: results)
                return nil
            } catch {
                return error
            }
        }
        if let refusal { throw refusal }
    }

    func loadedNothing() { state.withLockedValue { $0.loadedNothing() } }
}
