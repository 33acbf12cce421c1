package import Metrics

/// Calls, errors and times of each command. Counted by the number of its entry: only commands that exist have a place,
/// so that a client cannot fill the memory with names, and nothing is looked up.
package final class CommandMetrics: Sendable {
    /// Stands for what is no command.
    package static let unknownName = "unknown"

    package struct Shown: Sendable {
        package let name: String
        package let failed: Int
        package let slow: Int
        package let times: HistogramSnapshot
    }

    private struct Instruments: Sendable {
        let name: String
        let times = Histogram(.latencies)
        /// Failures, slow ones.
        let counters = CounterArray(count: 2)
    }

    private let instruments: [Instruments]
    /// Of each command; what is none is none of any kind.
    private let kinds: [CommandKind?]
    private let recorders = CommandKind.allCases.map { _ in LatencyRecorder() }

    init(names: [String]) {
        instruments = (names + [Self.unknownName]).map(Instruments.init)
        kinds = names.map { CommandKind(command: $0) } + [nil]
    }

    /// - Parameters:
    ///   - number: of the command's entry in the table; nil when there is none.
    ///   - isSlow: it took longer than the `slowms` of `profile`.
    ///   - isWaiting: it has waited for documents to come, as its client wished: its time says nothing.
    package func ended(_ number: Int?, nanoseconds: Int, isFailure: Bool, isSlow: Bool, isWaiting: Bool = false) {
        let index = number.map { min(max($0, 0), instruments.count - 1) } ?? instruments.count - 1
        let instrument = instruments[index]
        instrument.times.record(nanoseconds)
        if !isWaiting, let kind = kinds[index], let place = CommandKind.allCases.firstIndex(of: kind) {
            recorders[place].record(nanoseconds: nanoseconds)
        }
        if isFailure { instrument.counters.count(at: 0) }
        if isSlow { instrument.counters.count(at: 1) }
    }

    /// The commands that were called.
    package var all: [Shown] { everything.filter { $0.times.count > 0 } }

    /// All commands there are.
    package var everything: [Shown] {
        instruments.map {
            Shown(name: $0.name, failed: $0.counters[0], slow: $0.counters[1], times: $0.times.snapshot)
        }
    }

    /// The times of each kind, in the order of the kinds.
    package var byKind: [LatencyCounts] { recorders.map(\.counts) }
}
