/// What a server has done in the last minutes, second by second: for who has just come to look. Pure.
///
/// It is given readings of counters, about one a second, and holds what lies between them. The times of each kind of
/// work are told for about the last minute, since a second of a quiet server has too few for a percentile.
package struct LoadHistory: Sendable {
    /// Of one moment.
    package struct Reading: Sendable {
        package var nanoseconds: Int64
        /// The times of each kind since the start.
        package var kinds: [LatencyCounts]
        /// Whatever else only grows, since the start.
        package var totals: [Int]

        package init(nanoseconds: Int64, kinds: [LatencyCounts], totals: [Int]) {
            self.nanoseconds = nanoseconds
            self.kinds = kinds
            self.totals = totals
        }
    }

    /// Between two readings.
    package struct Sample: Sendable, Equatable {
        /// A second, of each kind and of each total.
        package var rates: [Double]
        package var totals: [Double]
        /// In microseconds, of all kinds together; nil when there was nothing.
        package var median: Double?
        package var p95: Double?
        package var p99: Double?

        package var rate: Double { rates.reduce(0, +) }
    }

    package static let samplesMax = 120
    /// Rates that are shown as numbers are those of some seconds, so that they can be read.
    static let steadySamples = 3
    /// How far apart the readings are that the times of a minute begin at, and how many of them are kept.
    static let markEvery = 10
    static let marksMax = 6

    /// Oldest first.
    package private(set) var samples: [Sample] = []
    private var last: Reading?
    /// Oldest first.
    private var marks: [Reading] = []
    private var samplesSinceMark = 0

    package init() {}

    package mutating func add(_ reading: Reading) {
        defer { last = reading }
        guard let last else { return marks.append(reading) }
        // A clock that does not move would make rates of anything.
        guard reading.nanoseconds > last.nanoseconds else { return }
        samples.append(Self.sample(from: last, to: reading))
        if samples.count > Self.samplesMax { samples.removeFirst(samples.count - Self.samplesMax) }
        samplesSinceMark += 1
        guard samplesSinceMark >= Self.markEvery else { return }
        samplesSinceMark = 0
        marks.append(reading)
        if marks.count > Self.marksMax { marks.removeFirst(marks.count - Self.marksMax) }
    }

    private static func sample(from earlier: Reading, to later: Reading) -> Sample {
        let seconds = Double(later.nanoseconds - earlier.nanoseconds) / 1e9
        let kinds = zip(later.kinds, earlier.kinds).map { $0.since($1) }
        let all = kinds.dropFirst().reduce(kinds.first ?? LatencyCounts(.fine)) { $0.adding($1) }
        return Sample(
            rates: kinds.map { Double($0.count) / seconds },
            totals: zip(later.totals, earlier.totals).map { max(0, Double($0) - Double($1)) / seconds },
            median: all.quantile(0.5), p95: all.quantile(0.95), p99: all.quantile(0.99))
    }

    /// The times of each kind in about the last minute.
    package var recent: [LatencyCounts] {
        guard let last, let first = marks.first else { return [] }
        return zip(last.kinds, first.kinds).map { $0.since($1) }
    }

    /// The time that ``recent`` is about.
    package var recentNanoseconds: Int64 {
        guard let last, let first = marks.first else { return 0 }
        return last.nanoseconds - first.nanoseconds
    }

    /// The rates of now: means of the last seconds.
    package var steadyRates: [Double] { mean(\.rates) }
    package var steadyTotals: [Double] { mean(\.totals) }

    private func mean(_ values: (Sample) -> [Double]) -> [Double] {
        let newest = samples.suffix(Self.steadySamples).map(values)
        guard let width = newest.map(\.count).min() else { return [] }
        return (0..<width).map { place in newest.reduce(0) { $0 + $1[place] } / Double(newest.count) }
    }
}
