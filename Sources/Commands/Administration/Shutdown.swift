internal import BSON
internal import CommandModel
internal import Logging

// https://www.mongodb.com/docs/manual/reference/command/shutdown/

extension CommandTable {
    /// Ends the server in good order, as SIGTERM does. There is nobody who could take over, and a primary without a
    /// secondary that has caught up goes only by force. The client sees its connection close, as MongoDB's does.
    @Sendable static func shutdown(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        var isForced = false
        try request.forEachArgument(of: "shutdown") { argument throws(CommandError) in
            switch argument.key {
            case "force": isForced = try argument.ifPresent(Argument.lenientBool) ?? false
            case "timeoutSecs": _ = try argument.ifPresent(Argument.nonNegativeInteger)
            default: throw argument.unknownField()
            }
        }
        guard context.connection.isLocal else {
            throw CommandError(.unauthorized, "shutdown must run from localhost when running db without auth")
        }
        guard isForced else {
            throw CommandError(
                ErrorCode(262, "ExceededTimeLimit"),
                "No electable secondaries caught up: this is the only member. Use force: true to end it all the same")
        }
        guard let stop = context.server.stopper.value else {
            throw CommandError(.commandNotSupported, "this server cannot end itself: send it SIGTERM")
        }
        context.logger.notice(
            "shutdown asked for by a client", metadata: ["client": "\(context.connection.remoteAddress)"])
        stop()
        var reply = CommandReply()
        reply.closesConnection = true
        return reply
    }
}

extension ConnectionInfo {
    /// The client is on this machine.
    var isLocal: Bool {
        let address = remoteAddress
        return address.hasPrefix("127.") || address.hasPrefix("[::1]") || address.hasPrefix("::1")
            || address.hasPrefix("[::ffff:127.")
    }
}
