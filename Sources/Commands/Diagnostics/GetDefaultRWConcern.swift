internal import BSON
internal import CommandModel
package import NIOCore

// https://www.mongodb.com/docs/manual/reference/command/getDefaultRWConcern/

extension CommandTable {
    @Sendable static func getDefaultRWConcern(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        var isInMemory = false
        try request.forEachArgument(of: "getDefaultRWConcern") { argument throws(CommandError) in
            guard argument.key == "inMemory" else { throw argument.unknownField() }
            isInMemory = try argument.isOmitted ? false : argument.bool()
        }
        return CommandReply { builder in
            builder.beginDocument("defaultReadConcern")
            builder.append("level", string: "local")
            builder.end()
            builder.beginDocument("defaultWriteConcern")
            builder.append("w", string: "majority")
            builder.append("wtimeout", int32: 0)
            builder.end()
            builder.append("defaultWriteConcernSource", string: "implicit")
            builder.append("defaultReadConcernSource", string: "implicit")
            builder.append("localUpdateWallClockTime", date: context.server.startMilliseconds)
            if isInMemory { builder.append("inMemory", bool: true) }
        }
    }
}

extension ServerState {
    /// When the server started: since 1970 UTC, by today's wall clock.
    var startMilliseconds: Int64 { ClusterClock.wallMilliseconds() - uptime.nanoseconds / 1_000_000 }

    package var uptime: TimeAmount { NIODeadline.now() - startedAt }
}
