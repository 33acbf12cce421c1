internal import BSON
internal import CommandModel

// https://www.mongodb.com/docs/manual/reference/command/replSetGetConfig/

extension CommandTable {
    @Sendable static func replSetGetConfig(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        var showsCommitment = false
        try request.forEachArgument(of: "replSetGetConfig") { argument throws(CommandError) in
            guard argument.key == "commitmentStatus" else { throw argument.unknownField() }
            showsCommitment = try argument.isOmitted ? false : argument.lenientBool()
        }
        return CommandReply { builder in
            builder.beginDocument("config")
            writeConfiguration(of: context.server.identity, into: &builder)
            builder.end()
            if showsCommitment { builder.append("commitmentStatus", bool: true) }
        }
    }

    private static func writeConfiguration(of identity: ServerIdentity, into builder: inout DocumentBuilder) {
        builder.append("_id", string: identity.setName)
        builder.append("version", int32: Hello.setVersion)
        builder.append("term", int64: Hello.term)
        builder.beginArray("members")
        builder.beginDocument(index: 0)
        writeMember(identity.advertisedHost, into: &builder)
        builder.end()
        builder.end()
        builder.append("protocolVersion", int64: 1)
        builder.append("writeConcernMajorityJournalDefault", bool: true)
        builder.beginDocument("settings")
        builder.append("chainingAllowed", bool: true)
        builder.append("heartbeatIntervalMillis", int32: 2_000)
        builder.append("heartbeatTimeoutSecs", int32: 10)
        builder.append("electionTimeoutMillis", int32: 10_000)
        builder.append("getLastErrorModes", document: .empty)
        builder.end()
    }

    private static func writeMember(_ host: String, into builder: inout DocumentBuilder) {
        builder.append("_id", int32: 0)
        builder.append("host", string: host)
        builder.append("arbiterOnly", bool: false)
        builder.append("buildIndexes", bool: true)
        builder.append("hidden", bool: false)
        builder.append("priority", double: 1)
        builder.append("tags", document: .empty)
        builder.append("secondaryDelaySecs", int64: 0)
        builder.append("votes", int32: 1)
    }
}
