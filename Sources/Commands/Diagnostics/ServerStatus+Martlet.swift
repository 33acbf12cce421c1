internal import BSON
internal import Metrics
internal import Storage

// What only this server counts. The same, and more, in Prometheus' format on the admin listener: docs/metrics.md.

extension ServerStatusSection {
    @Sendable static func martlet(_ builder: inout DocumentBuilder, _ server: ServerState) {
        builder.writeIdentity(server.identity)
        let metrics = server.engine.metrics
        builder.beginDocument("writes")
        writeWrites(metrics, into: &builder)
        builder.end()
        builder.beginDocument("pools")
        for (name, pool) in server.engine.poolMetrics {
            builder.beginDocument(name: name)
            writePool(pool, into: &builder)
            builder.end()
        }
        builder.end()
        builder.beginDocument("transactions")
        writeTransactions(server.engine.transactions.metrics, into: &builder)
        builder.end()
        let spill = server.engine.spill.metrics
        builder.beginDocument("spill")
        builder.append("files", int64: Int64(spill.files.value))
        builder.append("bytesWritten", int64: Int64(spill.bytesWritten.value))
        builder.append("bytesOpen", int64: Int64(spill.bytesOpen))
        builder.end()
        builder.beginDocument("leases")
        builder.append("held", int64: Int64(metrics.leases.held.value))
        builder.append("lost", int64: Int64(metrics.leases.lost.value))
        builder.append("fencedWrites", int64: Int64(metrics.leases.fenced.value))
        builder.append("sessionsReaped", int64: Int64(metrics.leases.sessionsReaped.value))
        builder.end()
    }

    private static func writeWrites(_ metrics: StorageMetrics, into builder: inout DocumentBuilder) {
        builder.append("deduplicatedStatements", int64: Int64(metrics.deduplicated.value))
        builder.append("compareAndSwapLosses", int64: Int64(metrics.casLost.value))
        builder.beginDocument("retries")
        for (state, count) in metrics.retries.all where count > 0 {
            builder.append(name: state, .int64(Int64(count)))
        }
        builder.end()
        writeHistogram("laneDepth", metrics.laneDepth.snapshot, into: &builder)
        builder.beginArray("hottestDocuments")
        for (index, hot) in metrics.hotDocuments.top().enumerated() {
            builder.beginDocument(index: index)
            builder.append("ns", string: "\(hot.namespace)")
            builder.append("_id", string: hot.id)
            builder.append("writes", int64: Int64(hot.writes))
            builder.end()
        }
        builder.end()
    }

    private static func writePool(_ pool: PoolMetrics, into builder: inout DocumentBuilder) {
        builder.append("threads", int64: Int64(pool.threads))
        builder.append("connected", int64: Int64(pool.connected))
        builder.append("busy", int64: Int64(pool.busy))
        builder.append("runningLimit", int64: Int64(pool.runningMax))
        builder.append("queued", int64: Int64(pool.queued))
        builder.append("requests", int64: Int64(pool.requests))
        builder.append("failed", int64: Int64(pool.failed))
        builder.append("shed", int64: Int64(pool.shed))
        builder.append("reconnects", int64: Int64(pool.reconnects))
        builder.append("breakerOpen", bool: pool.breakersOpen > 0)
        writeHistogram("batchSize", pool.batchSizes, into: &builder)
        writeHistogram("queueWaitSeconds", pool.waits, into: &builder)
    }

    /// The quantiles are bounds of buckets: true to a factor of two.
    private static func writeHistogram(
        _ name: StaticString, _ snapshot: HistogramSnapshot, into builder: inout DocumentBuilder
    ) {
        let count = snapshot.count
        builder.beginDocument(name)
        builder.append("count", int64: Int64(count))
        builder.append("mean", double: count > 0 ? Double(snapshot.sum) / Double(count) / snapshot.bounds.divisor : 0)
        builder.append("p50", double: snapshot.quantile(0.5))
        builder.append("p99", double: snapshot.quantile(0.99))
        builder.end()
    }

    private static func writeTransactions(
        _ transactions: TransactionMetrics, into builder: inout DocumentBuilder
    ) {
        builder.append("open", int64: Int64(transactions.open))
        builder.append("waiting", int64: Int64(transactions.waitingForLane))
        for (isolation, outcomes) in [
            ("snapshot", transactions.snapshot), ("serializable", transactions.serializable),
        ] {
            builder.beginDocument(name: isolation)
            builder.append("started", int64: Int64(outcomes.started))
            builder.append("committed", int64: Int64(outcomes.committed))
            builder.append("aborted", int64: Int64(outcomes.aborted))
            builder.append("expired", int64: Int64(outcomes.expired))
            builder.append("unknown", int64: Int64(outcomes.unknown))
            builder.end()
        }
    }
}
