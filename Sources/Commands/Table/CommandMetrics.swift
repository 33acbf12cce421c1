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

    init(names: [String]) {
        instruments = (names + [Self.unknownName]).map(Instruments.init)
    }

    /// - Parameters:
    ///   - number: of the command's entry in the table; nil when there is none.
    ///   - isSlow: it took longer than the `slowms` of `profile`.
    package func ended(_ number: Int?, nanoseconds: Int, isFailure: Bool, isSlow: Bool) {
        let index = number.map { min(max($0, 0), instruments.count - 1) } ?? instruments.count - 1
        let instrument = instruments[index]
        instrument.times.record(nanoseconds)
        if isFailure { instrument.counters.count(at: 0) }
        if isSlow { instrument.counters.count(at: 1) }
    }

    /// The commands that were called.
    package var all: [Shown] {
        instruments.compactMap {
            let times = $0.times.snapshot
            guard times.count > 0 else { return nil }
            return Shown(name: $0.name, failed: $0.counters[0], slow: $0.counters[1], times: times)
        }
    }
}
