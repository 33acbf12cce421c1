internal import Commands
internal import Metrics
internal import Storage

extension MetricsPage {
    /// What clients take, what they may take, and what was refused.
    static func writeLimits(_ state: ServerState, into page: inout PrometheusText) {
        writeConnections(state.limits, into: &page)
        writeMemory(state.limits.memory.figures, into: &page)
        page.counter(
            "martlet_cursors_refused_total", "Cursors that were not opened, because too many are.",
            state.engine.cursors.refused.value)
        page.counter(
            "martlet_sessions_unnoted_total", "Uses of sessions that were not noted, because too many are.",
            state.sessions.unnoted.value)
    }

    private static func writeConnections(_ limits: ClientLimits, into page: inout PrometheusText) {
        let census = limits.connections
        page.gauge("martlet_connections", "Client connections open now.", census.open)
        page.gauge("martlet_connections_limit", "How many there may be.", census.totalMax)
        page.counter(
            "martlet_connections_accepted_total", "Client connections since the start.", Int(census.accepted))
        page.counters(
            "martlet_connections_rejected_total", "Client connections closed at once, by the limit they met.",
            ConnectionCensus.Refusal.allCases.map { (["limit": $0.rawValue], Int(census.rejected($0))) })
        page.counters(
            "martlet_connections_ended_total", "Client connections whose time was over, by the limit they met.",
            ConnectionLife.Ending.allCases.map { (["limit": $0.rawValue], limits.count(of: $0)) })
        page.counter(
            "martlet_stranger_messages_refused_total", "Messages too long for a client that has not logged in.",
            limits.messagesRefused.value)
    }

    private static func writeMemory(_ memory: MemoryGate.Figures, into page: inout PrometheusText) {
        page.gauge("martlet_in_flight_bytes", "Held by messages and their replies.", memory.bytes)
        page.gauge("martlet_in_flight_limit_bytes", "How much that may be.", memory.bytesMax)
        page.gauge("martlet_in_flight_waiting", "Messages that wait for room now.", memory.waiting)
        page.counter("martlet_in_flight_waits_total", "Messages that had to wait for room.", Int(memory.waits))
    }
}
