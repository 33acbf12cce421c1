internal import Commands
internal import Logging
internal import ServiceLifecycle
internal import Storage

/// Compacts collections while `autoCompact` is on: those that have enough to give back, one after the other.
struct AutoCompactor: Service {
    static let tick = Duration.seconds(1)

    let state: ServerState
    let logger: Logger

    func run() async {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                if let settings = state.autoCompaction.takeDue() {
                    do throws(StorageError) { try await runRound(settings) } catch {
                        logger.warning("autoCompact gave up until its next round", metadata: ["error": "\(error)"])
                    }
                    state.autoCompaction.ended(settings)
                }
                try? await Task.sleep(for: Self.tick)
            }
        }
    }

    private func runRound(_ settings: AutoCompaction.Settings) async throws(StorageError) {
        let engine = state.engine
        for database in try await engine.catalog.databases() {
            for entry in try await engine.catalog.collections(in: database.name) where entry.collection.view == nil {
                guard state.autoCompaction.settings == settings, !Task.isCancelled else { return }
                let collection = entry.collection
                guard try await engine.reclaimableBytes(of: collection) >= settings.targetBytes else { continue }
                let freed = try await engine.compact(collection)
                logger.notice(
                    "collection compacted", metadata: ["ns": "\(collection.namespace)", "bytesFreed": "\(freed)"])
            }
        }
    }
}
