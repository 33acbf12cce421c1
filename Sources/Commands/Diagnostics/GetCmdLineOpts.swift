internal import BSON
internal import CommandModel

// https://www.mongodb.com/docs/manual/reference/command/getCmdLineOpts/

extension CommandTable {
    @Sendable static func getCmdLineOpts(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try request.takesNoArguments("getCmdLineOpts")
        let arguments = context.server.identity.arguments.map(CommandLineText.withoutSecrets)
        return CommandReply { builder in
            builder.append("argv", strings: arguments)
            builder.beginDocument("parsed")
            for (name, value) in CommandLineText.options(arguments) { builder.append(name: name, value) }
            // Whether clients must log in also depends on the address that is listened on: tools look here for it.
            builder.beginDocument("security")
            builder.append("authorization", string: context.server.access.isEnforced ? "enabled" : "disabled")
            builder.end()
            builder.end()
        }
    }
}

/// The command line as clients may see it.
enum CommandLineText {
    /// Hides passwords: a PostgreSQL URL or connection string carries one, and every client may ask for the arguments.
    static func withoutSecrets(_ argument: String) -> String {
        hidingUserInfo(hidingPasswordSetting(argument))
    }

    /// `scheme://user:secret@host` without the secret.
    private static func hidingUserInfo(_ text: String) -> String {
        guard let scheme = text.firstRange(of: "://") else { return text }
        let rest = text[scheme.upperBound...]
        // Up to the last @, not to the first /: a password that was not escaped may hold either, and hiding too much
        // harms nobody.
        guard let at = rest.lastIndex(of: "@"), let colon = rest[..<at].firstIndex(of: ":") else { return text }
        return "\(text[...colon])***\(text[at...])"
    }

    /// `password=secret`, in a connection string or in the query of a URL; quotes are not looked into, all up to the
    /// next separator outside of them goes.
    private static func hidingPasswordSetting(_ text: String) -> String {
        guard let setting = text.firstRange(of: "password=") else { return text }
        let rest = text[setting.upperBound...]
        let isQuoted = rest.first == "'"
        let end = isQuoted ? rest.endIndex : rest.firstIndex { $0 == " " || $0 == "&" } ?? rest.endIndex
        return "\(text[..<setting.upperBound])***\(hidingPasswordSetting(String(rest[end...])))"
    }

    /// `--name value`, `--name=value` and `--flag`, in order; the last of a repeated option counts.
    static func options(_ arguments: [String]) -> [(name: String, value: Value)] {
        var options: [(name: String, value: Value)] = []
        var index = 0
        while index < arguments.count {
            defer { index += 1 }
            guard arguments[index].hasPrefix("--"), arguments[index].utf8.count > 2 else { continue }
            let parts = arguments[index].dropFirst(2).split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            options.removeAll { $0.name == name }
            if parts.count == 2 {
                options.append((name, .string(String(parts[1]))))
            } else if index + 1 < arguments.count, !arguments[index + 1].hasPrefix("-") {
                options.append((name, .string(arguments[index + 1])))
                index += 1
            } else {
                options.append((name, .bool(true)))
            }
        }
        return options
    }
}
