internal import Commands
internal import Metrics
internal import NIOConcurrencyHelpers
internal import NIOCore
internal import Storage
internal import Synchronization

/// Reads the counters once a second, so that who opens the live page sees what was before.
final class StatusSampler: Sendable {
    static let interval = Duration.seconds(1)

    /// What of the totals is shown as rates, in the order of a reading.
    enum Total: Int, CaseIterable {
        case received, sent, failures, deduplicated, conflicts, retries
    }

    private let state: ServerState
    private let box = NIOLockedValueBox(LoadHistory())

    init(state: ServerState) { self.state = state }

    var history: LoadHistory { box.withLockedValue { $0 } }

    /// Until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            sample()
            try? await Task.sleep(for: Self.interval)
        }
    }

    func sample() {
        let reading = LoadHistory.Reading(
            nanoseconds: state.uptime.nanoseconds, kinds: state.commands.byKind,
            totals: Total.allCases.map { Self.value(of: $0, state) })
        box.withLockedValue { $0.add(reading) }
    }

    static func value(of total: Total, _ state: ServerState) -> Int {
        let metrics = state.engine.metrics
        return switch total {
        case .received: Int(state.requests.snapshot.bytesIn)
        case .sent: Int(state.requests.snapshot.bytesOut)
        case .failures: Int(state.requests.snapshot.failed)
        case .deduplicated: metrics.deduplicated.value
        case .conflicts: metrics.casLost.value
        case .retries: metrics.retries.all.reduce(0) { $0 + $1.count }
        }
    }
}
