internal import BSON
package import CommandModel
internal import NIOConcurrencyHelpers
internal import Synchronization

/// The fail points of a server that was started with test commands: places where a test can make things go wrong.
///
/// Those that the tests of the drivers use exist, and all of them act between the client and the commands, so that no
/// command knows of them.
package final class FailPoints: Sendable {
    package enum Name: String, Sendable, CaseIterable {
        case failCommand
        case failGetMoreAfterCursorCheckout
        /// A retryable write is about to commit, or has.
        case onPrimaryTransactionalWrite
    }

    private struct Point {
        var mode = FailPointMode()
        var data = FailPointData()
    }

    private let points = NIOLockedValueBox<[Name: Point]>([:])
    private let armed = Atomic<Bool>(false)

    package init() {}

    /// Whether any fail point is on: asked for every command.
    package var isArmed: Bool { armed.load(ordering: .relaxed) }

    /// - Returns: how often the fail point had acted before.
    func configure(_ name: Name, _ state: FailPointMode.State, _ data: FailPointData) -> Int64 {
        points.withLockedValue { points in
            var point = points[name] ?? Point()
            point.mode.set(state)
            point.data = data
            points[name] = point
            armed.store(points.values.contains { !$0.mode.isOff }, ordering: .relaxed)
            return point.mode.timesEntered
        }
    }

    /// What is to happen to a command; nil when it is to run undisturbed.
    package func enter(_ request: CommandRequest, applicationName: String?) -> FailPointData? {
        // A test must be able to switch it off again.
        guard request.name != "configureFailPoint" else { return nil }
        let namespace = "\(request.database).\(request.collectionName ?? "")"
        return enter(.failCommand) {
            $0.concerns(command: request.name, applicationName: applicationName, namespace: namespace)
        } ?? (request.name == "getMore" ? enter(.failGetMoreAfterCursorCheckout) { _ in true } : nil)
    }

    /// What is to happen to a statement of a retryable write that has not committed yet.
    package func enterBeforeCommit() -> FailPointData? {
        enter(.onPrimaryTransactionalWrite) { $0.failsBeforeCommit }
    }

    /// The same for one that has committed.
    package func enterAfterCommit() -> FailPointData? {
        enter(.onPrimaryTransactionalWrite) { !$0.failsBeforeCommit }
    }

    private func enter(_ name: Name, _ isConcerned: (FailPointData) -> Bool) -> FailPointData? {
        points.withLockedValue { points in
            guard var point = points[name], isConcerned(point.data) else { return nil }
            let acts = point.mode.enter(chance: .random(in: 0..<1))
            points[name] = point
            if point.mode.isOff { armed.store(points.values.contains { !$0.mode.isOff }, ordering: .relaxed) }
            return acts ? point.data : nil
        }
    }
}

extension CommandRequest {
    /// The collection that the command is about, as far as that can be seen from outside.
    package var collectionName: String? {
        body.withRaw { raw in
            if name == "getMore" { return raw["collection"]?.string }
            return raw.firstElement?.value.string
        }
    }
}
