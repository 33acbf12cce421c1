internal import BSON
internal import CommandModel

// https://www.mongodb.com/docs/manual/reference/command/getLog/

extension CommandTable {
    @Sendable static func getLog(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let name = try request.withCommandValue(of: "getLog") { argument throws(CommandError) in
            try argument.requireValue()
            return try argument.string()
        }
        try request.takesNoArguments("getLog")
        if name == "*" {
            return CommandReply { $0.append("names", strings: LogRing.Kind.allCases.map(\.rawValue)) }
        }
        guard let kind = LogRing.Kind(rawValue: name) else {
            throw CommandError(.operationFailed, "there is no log named '\(name)'")
        }
        let log = context.server.log.snapshot(kind)
        return CommandReply { builder in
            builder.append("totalLinesWritten", narrowest: log.totalLines)
            builder.append("log", strings: log.lines)
        }
    }
}
