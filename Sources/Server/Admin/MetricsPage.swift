internal import CommandModel
internal import Commands
internal import Metrics
internal import NIOCore
internal import Storage

/// All metrics of a server in Prometheus' text format. The names are promises: docs/metrics.md lists them.
enum MetricsPage {
    static func text(_ state: ServerState) -> String {
        var page = PrometheusText()
        writeServer(state, into: &page)
        writeCommands(state.commands.all, into: &page)
        writeWrites(state.engine.metrics, into: &page)
        writePools(state.engine.poolMetrics, into: &page)
        writeTransactions(state.engine.transactions.metrics, into: &page)
        writeLeases(state.engine.metrics.leases, into: &page)
        writeLogins(state.access.logins, into: &page)
        writeDocuments(state.engine.metrics.documents, into: &page)
        writeSpill(state.engine.spill.metrics, into: &page)
        return page.text
    }

    private static func writeServer(_ state: ServerState, into page: inout PrometheusText) {
        page.gauges(
            "martlet_build_info", "Always 1; the labels say what runs.",
            [(["version": state.identity.version, "postgresql": state.identity.postgresVersion], 1)])
        page.gauge("martlet_uptime_seconds", "Since the start.", Int(state.uptime.nanoseconds / 1_000_000_000))
        page.gauge(
            "martlet_writable", "1 while hello says that this server takes writes.",
            state.topology.state.isWritable ? 1 : 0)
        writeLimits(state, into: &page)
        page.gauge("martlet_sessions", "Logical sessions in use.", state.sessions.count)
        page.gauge("martlet_cursors", "Open cursors.", state.engine.cursors.count)
        page.counter(
            "martlet_cursors_timed_out_total", "Cursors that nobody read for too long.",
            Int(state.cursorTimeout.killed))
        let requests = state.requests.snapshot
        page.gauge("martlet_commands_running", "Commands that run now.", Int(requests.active))
        page.counter("martlet_received_bytes_total", "Bytes of messages from clients.", Int(requests.bytesIn))
        page.counter("martlet_sent_bytes_total", "Bytes of replies, before compression.", Int(requests.bytesOut))
    }

    private static func writeCommands(_ commands: [CommandMetrics.Shown], into page: inout PrometheusText) {
        page.histograms(
            "martlet_command_duration_seconds", "Time of commands in the server, without the network.",
            commands.map { (["command": $0.name], $0.times) })
        page.counters(
            "martlet_commands_total", "Commands by name; unknown stands for what is no command.",
            commands.map { (["command": $0.name], $0.times.count) })
        page.counters(
            "martlet_command_errors_total", "Commands whose reply was an error.",
            commands.map { (["command": $0.name], $0.failed) })
        page.counters(
            "martlet_slow_commands_total", "Commands that took longer than the slowms of profile.",
            commands.map { (["command": $0.name], $0.slow) })
    }

    private static func writeWrites(_ metrics: StorageMetrics, into page: inout PrometheusText) {
        page.counter(
            "martlet_deduplicated_statements_total",
            "Statements sent again and answered from the record of their first execution.",
            metrics.deduplicated.value)
        page.counter(
            "martlet_cas_losses_total", "Document versions that were replaced by somebody else before our write.",
            metrics.casLost.value)
        page.counters(
            "martlet_retries_total", "Transactions run again by the server, by PostgreSQL's SQLSTATE.",
            metrics.retries.all.map { (["sqlstate": $0.state], $0.count) })
        page.histograms(
            "martlet_lane_depth", "Writes that one new version of a document holds.",
            [([:], metrics.laneDepth.snapshot)])
        page.gauges(
            "martlet_hot_document_writes",
            "Writes that met others on their document, halved every minute: the hottest documents.",
            metrics.hotDocuments.top().map { (["namespace": "\($0.namespace)", "id": $0.id], $0.writes) })
    }

    private static func writeTransactions(_ transactions: TransactionMetrics, into page: inout PrometheusText) {
        let all = [("snapshot", transactions.snapshot), ("serializable", transactions.serializable)]
        page.counters(
            "martlet_transactions_started_total", "Multi-document transactions since the start, by isolation.",
            all.map { (["isolation": $0], $1.started) })
        page.counters(
            "martlet_transactions_total", "Multi-document transactions that ended, by outcome and isolation.",
            all.flatMap { isolation, outcomes -> [(labels: PrometheusText.Labels, value: Int)] in
                [
                    (["outcome": "committed", "isolation": isolation], outcomes.committed),
                    (["outcome": "aborted", "isolation": isolation], outcomes.aborted),
                    (["outcome": "expired", "isolation": isolation], outcomes.expired),
                    (["outcome": "unknown", "isolation": isolation], outcomes.unknown),
                ]
            })
        page.gauge("martlet_transactions_open", "Multi-document transactions open now.", transactions.open)
        page.gauge(
            "martlet_transactions_waiting", "Transactions that wait for a connection of their own.",
            transactions.waitingForLane)
    }

    private static func writeSpill(_ spill: SpillMetrics, into page: inout PrometheusText) {
        page.counter(
            "martlet_spill_files_total", "Temporary files of sorts that memory could not hold.", spill.files.value)
        page.counter("martlet_spill_written_bytes_total", "Bytes written to them.", spill.bytesWritten.value)
        page.gauge("martlet_spill_bytes", "Bytes in those that are open now.", spill.bytesOpen)
    }

    private static func writeLeases(_ leases: LeaseCounters, into page: inout PrometheusText) {
        page.gauge("martlet_leases_held", "Leases for background work that this server holds.", leases.held.value)
        page.counter("martlet_leases_acquired_total", "Leases acquired.", leases.acquired.value)
        page.counter("martlet_leases_lost_total", "Leases that ended before they were given up.", leases.lost.value)
        page.counter(
            "martlet_fenced_writes_total", "Background writes refused because their lease had moved on.",
            leases.fenced.value)
        page.counter(
            "martlet_sessions_reaped_total", "Records of retryable writes that were forgotten after their time.",
            leases.sessionsReaped.value)
    }
}
