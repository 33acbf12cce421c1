package import Logging
internal import NIOCore
internal import Synchronization

/// Goes on with builds of indexes whose builders have died: under the maintenance lease, one at a time.
///
/// The lease only decides who looks. A build that was taken over is fenced by its own token, and so may outlive the
/// lease; and it runs in a task of its own, because it may take long.
package final class IndexReconciler: Sendable {
    private let engine: StorageEngine
    private let logger: Logger
    private let isBuilding = Atomic<Bool>(false)

    package init(engine: StorageEngine, logger: Logger) {
        self.engine = engine
        self.logger = logger
    }

    /// Looks for a build that nobody works on.
    package func run(under lease: LeaseToken) async {
        guard isBuilding.compareExchange(expected: false, desired: true, ordering: .acquiringAndReleasing).exchanged
        else { return }
        do throws(StorageError) {
            guard let ticket = try await takeOver(under: lease) else {
                return isBuilding.store(false, ordering: .releasing)
            }
            logger.notice("index build resumed", metadata: ["build": "\(ticket.number)"])
            Task {
                var builder = IndexBuilder(ticket, in: engine.catalog, logger: logger)
                _ = await builder.run()
                isBuilding.store(false, ordering: .releasing)
            }
        } catch {
            logger.debug("no index builds taken over", metadata: ["error": "\(error)"])
            isBuilding.store(false, ordering: .releasing)
        }
    }

    private func takeOver(under lease: LeaseToken) async throws(StorageError) -> IndexBuildTicket? {
        try await engine.catalog.transaction { connection throws(StorageError) in
            try IndexBuildTicket.takeOver(under: lease, on: connection)
        }
    }
}
