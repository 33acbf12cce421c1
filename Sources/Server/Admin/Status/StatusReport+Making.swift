internal import Commands
internal import Foundation
internal import Metrics
internal import NIOCore
internal import Storage

extension StatusReport {
    init(_ state: ServerState, _ history: LoadHistory) {
        server = Server(state)
        self.history = History(history.samples)
        windowSeconds = Int(history.recentNanoseconds / 1_000_000_000)
        let recent = history.recent
        all = Times(recent.dropFirst().reduce(recent.first ?? LatencyCounts(.fine)) { $0.adding($1) })
        kinds = Self.kinds(state, history, recent)
        pools = state.engine.poolMetrics.map(Pool.init)
        lanes = Lanes(state.engine.metrics)
        `guard` = Guard(state, history)
        clients = Clients(state, history)
        resources = Resources(state, history)
        slowMilliseconds = state.profiler.slowNanoseconds / 1_000_000
        slow = state.slowCommands.all.map(Slow.init)
    }

    /// nil when it cannot be written, which no value here can cause.
    var json: String? {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func kinds(
        _ state: ServerState, _ history: LoadHistory, _ recent: [LatencyCounts]
    ) -> [Kind] {
        let (rates, totals) = (history.steadyRates, state.commands.byKind.map(\.count))
        return CommandKind.allCases.enumerated().map { place, kind in
            Kind(
                name: kind.rawValue, rate: rates.at(place) ?? 0, total: totals.at(place) ?? 0,
                times: Times(recent.at(place) ?? LatencyCounts(.fine)))
        }
    }
}

extension Array {
    fileprivate func at(_ place: Int) -> Element? { indices.contains(place) ? self[place] : nil }
}

/// From microseconds to milliseconds, as exact as somebody reads it.
private func milliseconds(_ microseconds: Double?) -> Double? {
    microseconds.map { ($0 / 10).rounded() / 100 }
}

extension StatusReport.Server {
    init(_ state: ServerState) {
        version = state.identity.version
        postgresVersion = state.identity.postgresVersion
        host = state.identity.hostName
        uptimeSeconds = Int(state.uptime.nanoseconds / 1_000_000_000)
        isWritable = state.topology.state.isWritable
        nowMilliseconds = ClusterClock.wallMilliseconds()
    }
}

extension StatusReport.History {
    init(_ samples: [LoadHistory.Sample]) {
        rates = samples.map { ($0.rate * 10).rounded() / 10 }
        p50 = samples.map { milliseconds($0.median) }
        p95 = samples.map { milliseconds($0.p95) }
        p99 = samples.map { milliseconds($0.p99) }
    }
}

extension StatusReport.Times {
    init(_ counts: LatencyCounts) {
        count = counts.count
        p50 = milliseconds(counts.quantile(0.5))
        p95 = milliseconds(counts.quantile(0.95))
        p99 = milliseconds(counts.quantile(0.99))
    }
}

extension StatusReport.Pool {
    init(_ pool: (name: String, metrics: PoolMetrics)) {
        let metrics = pool.metrics
        name = pool.name
        threads = metrics.threads
        connected = metrics.connected
        busy = metrics.busy
        idle = max(0, metrics.connected - metrics.busy)
        waiting = metrics.queued
        refused = metrics.shed
        reconnects = metrics.reconnects
        isAway = metrics.breakersOpen > 0
        waitP95 = metrics.waits.quantile(0.95) * 1_000
    }
}

extension StatusReport.Lanes {
    init(_ metrics: StorageMetrics) {
        let depth = metrics.laneDepth.snapshot
        versions = depth.count
        meanDepth = depth.count > 0 ? Double(depth.sum) / Double(depth.count) : 0
        p99Depth = depth.quantile(0.99)
        hot = metrics.hotDocuments.top().map {
            StatusReport.HotDocument(namespace: "\($0.namespace)", id: $0.id, writes: $0.writes)
        }
    }
}

extension StatusReport.Total {
    init(_ total: StatusSampler.Total, _ state: ServerState, _ history: LoadHistory) {
        rate = history.steadyTotals.at(total.rawValue) ?? 0
        self.total = StatusSampler.value(of: total, state)
    }
}

extension StatusReport.Guard {
    init(_ state: ServerState, _ history: LoadHistory) {
        deduplicated = StatusReport.Total(.deduplicated, state, history)
        conflicts = StatusReport.Total(.conflicts, state, history)
        retried = StatusReport.Total(.retries, state, history)
        retries = state.engine.metrics.retries.all.filter { $0.count > 0 }.map {
            StatusReport.Retry(sqlstate: $0.state, count: $0.count)
        }
    }
}

extension StatusReport.Clients {
    init(_ state: ServerState, _ history: LoadHistory) {
        connections = state.limits.connections.open
        accepted = Int(state.limits.connections.accepted)
        running = Int(state.requests.snapshot.active)
        sessions = state.sessions.count
        cursors = state.engine.cursors.count
        cursorsTimedOut = Int(state.cursorTimeout.killed)
        let metrics = state.engine.transactions.metrics
        transactions = metrics.open
        transactionsWaiting = metrics.waitingForLane
        transactionsCommitted = metrics.snapshot.committed + metrics.serializable.committed
        transactionsAborted = [metrics.snapshot, metrics.serializable].reduce(0) { $0 + $1.aborted + $1.expired }
        let logins = state.access.logins
        loginsSucceeded = LoginCounters.Mechanism.allCases.reduce(0) { $0 + logins[$1].succeeded.value }
        loginsFailed = logins.failedInAll
        failures = StatusReport.Total(.failures, state, history)
    }
}

extension StatusReport.Resources {
    init(_ state: ServerState, _ history: LoadHistory) {
        residentBytes = ProcessMemory.current.map { Int($0.resident) }
        spillBytes = Int(state.engine.spill.metrics.bytesOpen)
        received = StatusReport.Total(.received, state, history)
        sent = StatusReport.Total(.sent, state, history)
    }
}

extension StatusReport.Slow {
    init(_ command: SlowCommand) {
        endedAt = command.endedAt
        self.command = command.name
        namespace = command.namespace
        milliseconds = Double(command.nanoseconds / 10_000) / 100
        errorCode = command.errorCode
        application = command.applicationName
        steps = command.trace.steps.map { StatusReport.Step(pool: $0.pool, sql: $0.sql) }
    }
}
