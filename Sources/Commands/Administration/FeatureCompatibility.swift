internal import BSON
internal import CommandModel

// https://www.mongodb.com/docs/manual/reference/command/setFeatureCompatibilityVersion/

extension CommandTable {
    /// Upgrade tools end with this. There is one set of features, so that its version is accepted and no other.
    @Sendable static func setFeatureCompatibilityVersion(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let version = try request.withCommandValue(of: "setFeatureCompatibilityVersion") {
            argument throws(CommandError) in
            try argument.requireValue()
            return try argument.string()
        }
        var isConfirmed = false
        try request.forEachArgument(of: "setFeatureCompatibilityVersion") { argument throws(CommandError) in
            guard argument.key == "confirm" else { throw argument.unknownField() }
            isConfirmed = try argument.ifPresent(Argument.lenientBool) ?? false
        }
        guard isConfirmed else {
            throw CommandError(
                ErrorCode(7_369_100), "setFeatureCompatibilityVersion must be confirmed with confirm: true")
        }
        guard version == CompatibleVersion.feature else {
            throw CommandError(
                ErrorCode(4_926_900),
                "Invalid feature compatibility version value '\(version.prefix(100))': this server has the features of "
                    + "'\(CompatibleVersion.feature)' and no others")
        }
        return CommandReply { request.shared.writeUnsatisfiedConcern(into: &$0) }
    }
}
