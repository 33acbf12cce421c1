internal import Synchronization

/// Messages and bytes since the start, for `serverStatus.network`, and the commands that run now.
package final class RequestCounters: Sendable {
    package struct Snapshot: Sendable {
        package let requests, active, failed, bytesIn, bytesOut: Int64
    }

    private let requests = Atomic<Int64>(0)
    private let active = Atomic<Int64>(0)
    private let failed = Atomic<Int64>(0)
    private let bytesIn = Atomic<Int64>(0)
    private let bytesOut = Atomic<Int64>(0)

    package init() {}

    /// A message has come. Each call is followed by one of ``end(bytes:isFailure:)``.
    package func begin(bytes: Int) {
        requests.add(1, ordering: .relaxed)
        active.add(1, ordering: .relaxed)
        bytesIn.add(Int64(bytes), ordering: .relaxed)
    }

    /// The message is answered.
    ///
    /// - Parameters:
    ///   - bytes: of the reply, 0 when the client asked for none.
    ///   - isFailure: the reply was an error.
    package func end(bytes: Int, isFailure: Bool) {
        active.subtract(1, ordering: .relaxed)
        bytesOut.add(Int64(bytes), ordering: .relaxed)
        if isFailure { failed.add(1, ordering: .relaxed) }
    }

    package var snapshot: Snapshot {
        Snapshot(
            requests: requests.load(ordering: .relaxed), active: active.load(ordering: .relaxed),
            failed: failed.load(ordering: .relaxed), bytesIn: bytesIn.load(ordering: .relaxed),
            bytesOut: bytesOut.load(ordering: .relaxed))
    }
}
