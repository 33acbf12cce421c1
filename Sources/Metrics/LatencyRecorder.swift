internal import Synchronization

/// Counts times from many threads at once. Two relaxed additions for each.
package final class LatencyRecorder: Sendable {
    private let steps: LatencySteps
    private let buckets: CounterArray
    private let microseconds = Atomic<Int>(0)

    package init(_ steps: LatencySteps = .fine) {
        self.steps = steps
        buckets = CounterArray(count: steps.count)
    }

    package func record(nanoseconds: Int) {
        let time = max(0, nanoseconds) / 1_000
        buckets.count(at: steps.bucket(of: time))
        microseconds.wrappingAdd(time, ordering: .relaxed)
    }

    package var counts: LatencyCounts {
        LatencyCounts(steps, buckets: buckets.values, microseconds: microseconds.load(ordering: .relaxed))
    }
}
