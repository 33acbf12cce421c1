internal import BSON
internal import CommandModel
internal import NIOCore
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/serverStatus/

extension CommandTable {
    @Sendable static func serverStatus(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let sections = ServerStatusSection.all.filter { $0.isWanted(by: request) }
        let catalog = try? await context.engine.catalogCounts(deadline: catalogDeadline)
        return CommandReply { builder in
            writeServerStatusHead(into: &builder, context.server)
            if let catalog, ServerStatusSection.isWanted("catalogStats", by: request) {
                write(catalog, into: &builder)
            }
            for section in sections { section.write(&builder, context.server) }
            if ServerStatusSection.isWanted("opLatencies", by: request) {
                builder.write(
                    latencies: context.server.commands, histograms: request.wantsLatencyHistograms)
            }
        }
    }

    /// The counts are told even while PostgreSQL is slow, or away: this one section is left out then.
    private static var catalogDeadline: Deadline { Deadline(maxTimeMilliseconds: 500) }

    private static func write(_ catalog: CatalogCounts, into builder: inout DocumentBuilder) {
        builder.beginDocument("catalogStats")
        builder.append("collections", .smallest(catalog.plain - catalog.internalCollections))
        builder.append("capped", .smallest(catalog.capped))
        builder.append("timeseries", .smallest(catalog.timeseries))
        builder.append("views", .smallest(catalog.views))
        builder.append("internalCollections", .smallest(catalog.internalCollections))
        builder.append("internalViews", int32: 0)
        builder.end()
    }

    private static func writeServerStatusHead(into builder: inout DocumentBuilder, _ server: ServerState) {
        let milliseconds = server.uptime.nanoseconds / 1_000_000
        builder.append("host", string: server.identity.hostName)
        builder.append("version", string: CompatibleVersion.text)
        builder.append("process", string: "martlet")
        builder.append("pid", int64: server.identity.processID)
        builder.append("uptime", double: Double(milliseconds / 1_000))
        builder.append("uptimeMillis", int64: milliseconds)
        builder.append("uptimeEstimate", int64: milliseconds / 1_000)
        builder.append("localTime", date: ClusterClock.wallMilliseconds())
    }
}

/// A part of `serverStatus` that `{name: 0}` leaves out. What this server does not count is not shown: a made-up zero
/// in a graph is worse than a gap.
struct ServerStatusSection: Sendable {
    let name: StaticString
    let write: @Sendable (inout DocumentBuilder, ServerState) -> Void

    private init(
        _ name: StaticString, _ body: @escaping @Sendable (inout DocumentBuilder, ServerState) -> Void
    ) {
        self.name = name
        write = { builder, server in
            builder.beginDocument(name)
            body(&builder, server)
            builder.end()
        }
    }

    /// Fields that are no section are ignored.
    func isWanted(by request: CommandRequest) -> Bool { Self.isWanted(name, by: request) }

    static func isWanted(_ name: StaticString, by request: CommandRequest) -> Bool {
        request.body.withRaw { $0[name]?.isOn ?? true }
    }

    static let all: [ServerStatusSection] = [
        Self("asserts", asserts),
        Self("connections", connections),
        Self("extra_info", extraInfo),
        Self("globalLock", globalLock),
        // Documents are locked in PostgreSQL, row by row.
        Self("locks") { _, _ in },
        Self("logicalSessionRecordCache", sessions),
        Self("mem", memory),
        Self("metrics", metrics),
        Self("network", network),
        Self("opcounters") { write($1.counters.snapshot, into: &$0) },
        // No other member sends its writes here.
        Self("opcountersRepl") { builder, _ in write(nil, into: &builder) },
        Self("repl") { builder, server in
            Hello.writeMember(into: &builder, server, server.topology.state, isLegacy: false)
            // mongostat knows a primary by its old name only.
            builder.append("ismaster", bool: server.topology.state.isWritable)
        },
        Self("security", security),
        Self("storageEngine", storageEngine),
        Self("transactions", transactions),
        Self("martlet", martlet),
    ]
}
