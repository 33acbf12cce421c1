internal import Metrics

extension MetricsPage {
    typealias Pools = [(name: String, metrics: PoolMetrics)]

    static func writePools(_ pools: Pools, into page: inout PrometheusText) {
        writePoolStates(pools, into: &page)
        writePoolTotals(pools, into: &page)
        page.histograms(
            "martlet_pool_batch_size", "Requests that a thread takes at once.",
            pools.map { (["pool": $0.name], $0.metrics.batchSizes) })
        page.histograms(
            "martlet_pool_queue_wait_seconds", "From the submission of a request to the moment a thread takes it.",
            pools.map { (["pool": $0.name], $0.metrics.waits) })
    }

    private static func writePoolStates(_ pools: Pools, into page: inout PrometheusText) {
        page.gauges("martlet_pool_threads", "Threads, each with a connection to PostgreSQL.", pools.by(\.threads))
        page.gauges("martlet_pool_connected", "Threads that have their connection.", pools.by(\.connected))
        page.gauges("martlet_pool_busy_threads", "Threads that run a batch now.", pools.by(\.busy))
        page.gauges(
            "martlet_pool_running_limit", "Threads that may run a batch at once.", pools.by(\.runningMax))
        page.gauges("martlet_pool_queue_length", "Requests that wait now.", pools.by(\.queued))
        page.gauges(
            "martlet_pool_breakers_open", "Queues that refuse everything, because PostgreSQL is away.",
            pools.by(\.breakersOpen))
    }

    private static func writePoolTotals(_ pools: Pools, into page: inout PrometheusText) {
        page.counters(
            "martlet_pool_busy_seconds_total", "Time of all threads together that went into batches.",
            seconds: pools.map { (["pool": $0.name], $0.metrics.busyNanoseconds) })
        page.counters("martlet_pool_batches_total", "Batches run.", pools.by(\.batches))
        page.counters("martlet_pool_requests_total", "Requests run.", pools.by(\.requests))
        page.counters(
            "martlet_pool_failed_requests_total", "Requests that failed without reaching PostgreSQL.",
            pools.by(\.failed))
        page.counters(
            "martlet_pool_shed_requests_total", "Requests refused because the queue was full.", pools.by(\.shed))
        page.counters(
            "martlet_pool_reconnects_total", "Connections made after the first of each thread.",
            pools.by(\.reconnects))
    }
}

extension [(name: String, metrics: PoolMetrics)] {
    fileprivate func by(_ value: (PoolMetrics) -> Int) -> [(labels: PrometheusText.Labels, value: Int)] {
        map { (["pool": $0.name], value($0.metrics)) }
    }
}
