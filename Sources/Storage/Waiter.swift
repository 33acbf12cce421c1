internal import NIOConcurrencyHelpers

/// One command that waits. Whatever comes first ends the wait: the change, the time, the cancellation; it may come
/// before the wait begins.
package final class Waiter: Sendable {
    private enum Phase {
        case new
        case waiting(CheckedContinuation<Void, Never>)
        case over
    }

    private let phase = NIOLockedValueBox(Phase.new)

    package init() {}

    package func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = phase.withLockedValue { phase in
                    if case .over = phase { return true }
                    phase = .waiting(continuation)
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            finish()
        }
    }

    package func finish() {
        let before = phase.withLockedValue { phase in
            defer { phase = .over }
            return phase
        }
        if case .waiting(let continuation) = before { continuation.resume() }
    }
}
