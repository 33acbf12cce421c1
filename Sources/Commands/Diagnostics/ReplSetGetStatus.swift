internal import BSON
internal import CommandModel
internal import NIOCore

// https://www.mongodb.com/docs/manual/reference/command/replSetGetStatus/

extension CommandTable {
    @Sendable static func replSetGetStatus(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try request.forEachArgument(of: "replSetGetStatus") { argument throws(CommandError) in
            guard argument.key == "initialSync" else { throw argument.unknownField() }
        }
        let status = ReplicaSetStatus(context.server)
        return CommandReply { status.write(into: &$0) }
    }
}

/// The set and its one member at one moment.
private struct ReplicaSetStatus {
    private let identity: ServerIdentity
    private let now: Int64
    private let uptimeSeconds: Int64
    private let start: Int64
    private let time: UInt64
    private let isPrimary: Bool

    init(_ server: ServerState) {
        identity = server.identity
        now = ClusterClock.wallMilliseconds()
        uptimeSeconds = server.uptime.nanoseconds / 1_000_000_000
        start = server.startMilliseconds
        time = server.clock.current()
        isPrimary = server.topology.state.isWritable
    }

    /// Without PostgreSQL the member is neither primary nor secondary: 3, RECOVERING.
    private var state: Int32 { isPrimary ? 1 : 3 }

    func write(into builder: inout DocumentBuilder) {
        builder.append("set", string: identity.setName)
        builder.append("date", date: now)
        builder.append("myState", int32: state)
        builder.append("term", int64: Hello.term)
        builder.append("syncSourceHost", string: "")
        builder.append("syncSourceId", int32: -1)
        builder.append("heartbeatIntervalMillis", int64: 2_000)
        for name: StaticString in [
            "majorityVoteCount", "writeMajorityCount", "votingMembersCount", "writableVotingMembersCount",
        ] { builder.append(name, int32: 1) }
        writeTimes(into: &builder)
        builder.beginArray("members")
        builder.beginDocument(index: 0)
        writeMember(into: &builder)
        builder.end()
        builder.end()
    }

    private func writeTimes(into builder: inout DocumentBuilder) {
        let date = Hello.date(of: time)
        builder.beginDocument("optimes")
        builder.append("lastCommittedOpTime", opTime: time)
        builder.append("lastCommittedWallTime", date: date)
        builder.append("readConcernMajorityOpTime", opTime: time)
        builder.append("appliedOpTime", opTime: time)
        builder.append("durableOpTime", opTime: time)
        builder.append("lastAppliedWallTime", date: date)
        builder.append("lastDurableWallTime", date: date)
        builder.end()
    }

    private func writeMember(into builder: inout DocumentBuilder) {
        let date = Hello.date(of: time)
        builder.append("_id", int32: 0)
        builder.append("name", string: identity.advertisedHost)
        builder.append("health", double: 1)
        builder.append("state", int32: state)
        builder.append("stateStr", string: isPrimary ? "PRIMARY" : "RECOVERING")
        builder.append("uptime", narrowest: uptimeSeconds)
        builder.append("optime", opTime: time)
        builder.append("optimeDate", date: date)
        builder.append("lastAppliedWallTime", date: date)
        builder.append("lastDurableWallTime", date: date)
        builder.append("syncSourceHost", string: "")
        builder.append("syncSourceId", int32: -1)
        builder.append("infoMessage", string: isPrimary ? "" : "PostgreSQL is not available")
        if isPrimary {
            builder.append("electionTime", timestamp: UInt64(start / 1_000) << 32 | 1)
            builder.append("electionDate", date: start)
        }
        builder.append("configVersion", int32: Hello.setVersion)
        builder.append("configTerm", int64: Hello.term)
        builder.append("self", bool: true)
        builder.append("lastHeartbeatMessage", string: "")
    }
}
