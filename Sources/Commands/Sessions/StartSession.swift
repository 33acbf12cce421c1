internal import BSON
internal import CommandModel

// https://www.mongodb.com/docs/manual/reference/command/startSession/

extension CommandTable {
    @Sendable static func startSession(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let id = LogicalSessionID(uuid: randomUUID())
        context.server.sessions.touch(id.owned(by: request.owner))
        return CommandReply { builder in
            builder.beginDocument("id")
            builder.append("id", binary: id.uuid, subtype: 4)
            builder.end()
            builder.append("timeoutMinutes", int32: ServerLimits.sessionTimeoutMinutes)
        }
    }
}

/// 16 random bytes, marked as a UUID of version 4 (RFC 9562).
func randomUUID() -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    var bytes = withUnsafeBytes(of: (generator.next(), generator.next())) { Array($0) }
    bytes[6] = bytes[6] & 0x0F | 0x40
    bytes[8] = bytes[8] & 0x3F | 0x80
    return bytes
}
