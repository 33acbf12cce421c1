internal import BSON
internal import CommandModel

// https://www.mongodb.com/docs/manual/reference/command/dropConnections/

extension CommandTable {
    /// Closes the connections that this server has made to others of its kind: there are none, so that none is left.
    @Sendable static func dropConnections(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        var isNamed = false
        try request.forEachArgument(of: "dropConnections") { argument throws(CommandError) in
            guard argument.key == "hostAndPort" else { throw argument.unknownField() }
            guard !argument.isOmitted else { return }
            isNamed = true
            for element in try argument.array() where !element.value.isNullish {
                guard let text = element.value.string else {
                    throw .wrongType("\(argument.name).\(element.key.string)", element.value, expected: "string")
                }
                try checkHostAndPort(text)
            }
        }
        guard isNamed else { throw .missingField("dropConnections.hostAndPort") }
        return CommandReply()
    }

    /// `HOST`, `HOST:PORT` or `[ADDRESS]:PORT`.
    static func checkHostAndPort(_ text: String) throws(CommandError) {
        let error = CommandError(.failedToParse, "'\(text.prefix(300))' is no host and port")
        guard !text.isEmpty else { throw error }
        var rest = text[...]
        if rest.first == "[" {
            guard let end = rest.firstIndex(of: "]") else { throw error }
            rest = rest[rest.index(after: end)...]
            if rest.isEmpty { return }
            guard rest.first == ":" else { throw error }
        } else {
            guard let colon = rest.firstIndex(of: ":") else { return }
            guard colon > rest.startIndex else { throw error }
            rest = rest[colon...]
        }
        guard let port = UInt16(rest.dropFirst()), port > 0, rest.dropFirst().first != "+" else { throw error }
    }
}
