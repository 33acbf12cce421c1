internal import BSON
internal import CommandModel

// https://www.mongodb.com/docs/manual/reference/command/connPoolStats/

extension CommandTable {
    /// Connections from this server to other members and shards: there are none. Those to PostgreSQL are another thing.
    @Sendable static func connPoolStats(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        CommandReply { builder in
            builder.append("numClientConnections", int32: 0)
            builder.append("numAScopedConnections", int32: 0)
            builder.append("totalInUse", int32: 0)
            builder.append("totalAvailable", int32: 0)
            builder.append("totalCreated", int32: 0)
            builder.append("totalRefreshing", int32: 0)
            builder.append("pools", document: .empty)
            builder.append("hosts", document: .empty)
        }
    }
}
