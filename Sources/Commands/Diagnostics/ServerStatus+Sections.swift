internal import BSON
internal import Metrics
internal import NIOCore
internal import Storage

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

extension ServerStatusSection {
    /// Only errors that clients were told of are counted; the other kinds do not exist here.
    @Sendable static func asserts(_ builder: inout DocumentBuilder, _ server: ServerState) {
        for name: StaticString in ["regular", "warning", "msg"] { builder.append(name, int32: 0) }
        builder.append("user", narrowest: server.requests.snapshot.failed)
        for name: StaticString in ["tripwire", "rollovers"] { builder.append(name, int32: 0) }
    }

    @Sendable static func connections(_ builder: inout DocumentBuilder, _ server: ServerState) {
        let census = server.limits.connections
        builder.append("current", narrowest: Int64(census.open))
        builder.append("available", narrowest: Int64(max(0, census.totalMax - census.open)))
        builder.append("totalCreated", narrowest: census.accepted)
        builder.append("rejected", narrowest: census.rejected)
        builder.append("active", narrowest: server.requests.snapshot.active)
    }

    @Sendable static func extraInfo(_ builder: inout DocumentBuilder, _ server: ServerState) {
        var usage = rusage()
        #if canImport(Glibc)
            getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        #else
            getrusage(RUSAGE_SELF, &usage)
        #endif
        builder.append("note", string: "fields vary by platform")
        builder.append("user_time_us", int64: microseconds(usage.ru_utime))
        builder.append("system_time_us", int64: microseconds(usage.ru_stime))
        builder.append("maximum_resident_set_kb", int64: Int64(usage.ru_maxrss))
        builder.append("input_blocks", int64: Int64(usage.ru_inblock))
        builder.append("output_blocks", int64: Int64(usage.ru_oublock))
        builder.append("page_reclaims", int64: Int64(usage.ru_minflt))
        builder.append("page_faults", int64: Int64(usage.ru_majflt))
        builder.append("voluntary_context_switches", int64: Int64(usage.ru_nvcsw))
        builder.append("involuntary_context_switches", int64: Int64(usage.ru_nivcsw))
    }

    private static func microseconds(_ time: timeval) -> Int64 {
        Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_usec)
    }

    /// There is no global lock. What waits, waits for a connection to PostgreSQL; which of what waits for the general
    /// pool writes is not told apart.
    @Sendable static func globalLock(_ builder: inout DocumentBuilder, _ server: ServerState) {
        let queues = server.engine.poolMetrics.map { (name: $0.name, queued: $0.metrics.queued) }
        let queued = { (names: Set<String>) in queues.reduce(0) { names.contains($1.name) ? $0 + $1.queued : $0 } }
        let (readers, writers) = (queued(["readers", "analytics", "replica"]), queued(["writers"]))
        builder.append("totalTime", int64: server.uptime.nanoseconds / 1_000)
        builder.beginDocument("currentQueue")
        builder.append("total", narrowest: Int64(queues.reduce(0) { $0 + $1.queued }))
        builder.append("readers", narrowest: Int64(readers))
        builder.append("writers", narrowest: Int64(writers))
        builder.end()
        let running = server.operations.all.compactMap { $0.operation?.request.writes }
        let writing = running.count { $0 }
        builder.beginDocument("activeClients")
        builder.append("total", narrowest: Int64(running.count))
        builder.append("readers", narrowest: Int64(running.count - writing))
        builder.append("writers", narrowest: Int64(writing))
        builder.end()
    }

    @Sendable static func sessions(_ builder: inout DocumentBuilder, _ server: ServerState) {
        builder.append("activeSessionsCount", narrowest: Int64(server.sessions.count))
    }

    /// In megabytes.
    @Sendable static func memory(_ builder: inout DocumentBuilder, _ server: ServerState) {
        let memory = ProcessMemory.current
        builder.append("bits", int32: Int32(Int.bitWidth))
        if let memory {
            builder.append("resident", narrowest: memory.resident >> 20)
            builder.append("virtual", narrowest: memory.virtual >> 20)
        }
        builder.append("supported", bool: memory != nil)
    }

    @Sendable static func network(_ builder: inout DocumentBuilder, _ server: ServerState) {
        let counters = server.requests.snapshot
        builder.append("bytesIn", int64: counters.bytesIn)
        builder.append("bytesOut", int64: counters.bytesOut)
        builder.append("numRequests", int64: counters.requests)
    }

    static func write(_ counters: OperationCounters.Snapshot?, into builder: inout DocumentBuilder) {
        builder.append("insert", int64: counters?.insert ?? 0)
        builder.append("query", int64: counters?.query ?? 0)
        builder.append("update", int64: counters?.update ?? 0)
        builder.append("delete", int64: counters?.delete ?? 0)
        builder.append("getmore", int64: counters?.getMore ?? 0)
        builder.append("command", int64: counters?.command ?? 0)
    }

    @Sendable static func storageEngine(_ builder: inout DocumentBuilder, _ server: ServerState) {
        builder.append("name", string: "martlet")
        builder.append("supportsCommittedReads", bool: true)
        builder.append("persistent", bool: true)
        builder.append("readOnly", bool: false)
    }

    /// Which of the open ones run a statement just now is not told apart.
    @Sendable static func transactions(_ builder: inout DocumentBuilder, _ server: ServerState) {
        let metrics = server.engine.transactions.metrics
        let (snapshot, serializable) = (metrics.snapshot, metrics.serializable)
        let aborted = snapshot.aborted + snapshot.expired + serializable.aborted + serializable.expired
        builder.append("currentOpen", int64: Int64(metrics.open))
        builder.append("totalAborted", int64: Int64(aborted))
        builder.append("totalCommitted", int64: Int64(snapshot.committed + serializable.committed))
        builder.append("totalStarted", int64: Int64(snapshot.started + serializable.started))
    }
}
