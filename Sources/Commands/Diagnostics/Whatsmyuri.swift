internal import BSON
internal import CommandModel

extension CommandTable {
    /// The client's address as this server sees it. Undocumented, but shells call it when they connect.
    @Sendable static func whatsmyuri(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        CommandReply { $0.append("you", string: context.connection.remoteAddress) }
    }
}
