package import Metrics
internal import Postgres

extension StorageEngine {
    /// The pools by name.
    package var poolMetrics: [(name: String, metrics: PoolMetrics)] {
        [
            ("readers", readers.metrics), ("writers", writers.metrics), ("general", general.metrics),
            ("analytics", analytics.metrics), ("transactions", transactions.lanes.pool.metrics),
        ] + (replica.map { [("replica", $0.metrics)] } ?? [])
    }
}
