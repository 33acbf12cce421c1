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
        // Another server may have changed them a moment ago. Without PostgreSQL what was known last is told.
        if !isInMemory { try? await context.server.settings.refresh(from: context.engine) }
        let concerns = DefaultConcerns(context.server.settings[.defaultConcerns])
        return CommandReply { builder in
            concerns.write(into: &builder, localMilliseconds: context.server.startMilliseconds)
            if isInMemory { builder.append("inMemory", bool: true) }
        }
    }
}

extension ServerState {
    /// When the server started: since 1970 UTC, by today's wall clock.
    var startMilliseconds: Int64 { ClusterClock.wallMilliseconds() - uptime.nanoseconds / 1_000_000 }

    package var uptime: TimeAmount { NIODeadline.now() - startedAt }
}
