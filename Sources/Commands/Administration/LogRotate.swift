internal import BSON
internal import CommandModel
internal import Logging

// https://www.mongodb.com/docs/manual/reference/command/logRotate/

extension CommandTable {
    /// The log goes to standard error, whose reader rotates it (journald, a container's runtime): MongoDB does nothing
    /// with such a log, either. The answer says so.
    @Sendable static func logRotate(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try request.withCommandValue(of: "logRotate") { argument throws(CommandError) in
            if let target = argument.value.string {
                guard target == "server" else {
                    throw CommandError(.noSuchKey, "Unknown log type '\(target.prefix(100))'")
                }
            } else if argument.value.bool == nil, argument.value.number == nil {
                throw argument.wrongType(expected: "bool, int, double, long, decimal, string")
            }
        }
        try request.takesNoArguments("logRotate")
        context.logger.notice("asked to rotate the log, which goes to standard error")
        return CommandReply { $0.append("info", string: "the log goes to standard error: whoever reads it rotates it") }
    }
}
