internal import BSON
internal import CommandModel

// https://www.mongodb.com/docs/manual/reference/command/listCommands/

extension CommandTable {
    @Sendable static func listCommands(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let hasTestCommands = context.server.failPoints != nil
        return CommandReply { builder in
            builder.beginDocument("commands")
            for entry in standard.all where hasTestCommands || !entry.isTestsOnly { builder.write(entry) }
            builder.end()
        }
    }
}

extension DocumentBuilder {
    fileprivate mutating func write(_ entry: CommandTable.Entry) {
        beginDocument(name: entry.name)
        append("help", string: entry.help)
        append("requiresAuth", bool: !entry.access.isForEverybody)
        append("secondaryOk", bool: false)
        append("adminOnly", bool: entry.isAdminOnly)
        append("apiVersions", strings: entry.isInStableAPI ? ["1"] : [])
        append("deprecatedApiVersions", strings: [])
        end()
    }
}
