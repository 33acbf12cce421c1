internal import BSON
internal import CommandModel
internal import Logging

// https://www.mongodb.com/docs/manual/reference/command/setParameter/

extension CommandTable {
    /// Sets all of the named parameters or, when one of them is refused, none.
    @Sendable static func setParameter(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        var changes: [ServerParameter.Change] = []
        var names: [String] = []
        var before: Value?
        try request.forEachArgument(of: "setParameter") { argument throws(CommandError) in
            guard let parameter = ServerParameter.named(argument.key) else {
                throw CommandError(
                    .invalidOptions,
                    "attempted to set unrecognized parameter [\(argument.key.string)], use help:true to see options ")
            }
            guard let parse = parameter.parse else {
                throw CommandError(
                    .illegalOperation, "not allowed to change [\(argument.key.string)] at runtime")
            }
            changes.append(try parse(argument))
            names.append(argument.key.string)
            if before == nil { before = parameter.read(context.server) }
        }
        guard let before else {
            throw CommandError(.invalidOptions, "no option found to set, use help:true to see options ")
        }
        for change in changes { change(context.server) }
        context.logger.notice("server parameters changed", metadata: ["names": "\(names)"])
        return CommandReply { $0.append("was", before) }
    }
}
