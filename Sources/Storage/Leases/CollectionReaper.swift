package import Logging
internal import SQL

/// Drops the collections that a server was making when it died.
package struct CollectionReaper: Sendable {
    /// Of one run: the rest has time until the next.
    static let transactionsMax = 100

    /// - Returns: how many it dropped.
    package static func run(with keeper: inout LeaseKeeper, logger: Logger) async -> Int {
        var reaped = 0
        for _ in 0..<transactionsMax {
            await keeper.tick()
            do throws(StorageError) {
                guard let count = try await keeper.execute(Catalog.reaping) else { return reaped }
                reaped += count
                if count > 0 { logger.notice("unfinished collections dropped", metadata: ["count": "\(count)"]) }
                if count < Catalog.reapedMax { return reaped }
            } catch {
                // Somebody may be reading one: the next run tries again.
                logger.debug("unfinished collections not dropped", metadata: ["error": "\(error)"])
                return reaped
            }
        }
        return reaped
    }
}
