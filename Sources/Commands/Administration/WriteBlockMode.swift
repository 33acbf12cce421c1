internal import BSON
package import CommandModel
internal import Logging

// https://www.mongodb.com/docs/manual/reference/command/setUserWriteBlockMode/

/// The switch that refuses writes on all servers: a setting.
struct WriteBlock {
    static let reasons = ["Unspecified", "ClusterToClusterMigrationInProgress", "DiskUseThresholdExceeded"]

    var isActive: Bool
    var reason: String

    init(isActive: Bool, reason: String) {
        self.isActive = isActive
        self.reason = reason
    }

    init(_ setting: Document) {
        (isActive, reason) = setting.withRaw { raw in
            (raw["global"]?.bool ?? false, raw["reason"]?.string ?? Self.reasons[0])
        }
    }

    var setting: Document {
        Document { builder in
            builder.append("global", bool: isActive)
            builder.append("reason", string: reason)
        }
    }

    /// Whoever blocks for one reason is not overruled by who does so for another.
    func replaced(by wanted: WriteBlock) throws(CommandError) -> WriteBlock {
        guard !isActive || wanted.reason == reason else {
            throw CommandError(
                .illegalOperation,
                "Cannot \(wanted.isActive ? "enable" : "disable") user write blocking for the reason \(wanted.reason): "
                    + "it is enabled for the reason \(reason)")
        }
        return wanted
    }
}

extension CommandTable {
    /// Refuses writes from now on, or allows them again. Other servers on the same PostgreSQL follow within a second.
    @Sendable static func setUserWriteBlockMode(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let wanted = try WriteBlock(request)
        _ = try await context.server.settings.change(.writeBlock, on: context.engine) { old throws(CommandError) in
            let present = old.map(WriteBlock.init) ?? WriteBlock(isActive: false, reason: wanted.reason)
            return try present.replaced(by: wanted).setting
        }
        context.logger.notice(
            "writes of clients are \(wanted.isActive ? "blocked" : "allowed")", metadata: ["reason": "\(wanted.reason)"]
        )
        return CommandReply { request.shared.writeUnsatisfiedConcern(into: &$0) }
    }
}

extension WriteBlock {
    init(_ request: CommandRequest) throws(CommandError) {
        var (global, reason): (Bool?, String?) = (nil, nil)
        try request.forEachArgument(of: "setUserWriteBlockMode") { argument throws(CommandError) in
            switch argument.key {
            case "global": global = try argument.ifPresent(Argument.bool)
            case "reason": reason = try argument.ifPresent(Argument.string)
            default: throw argument.unknownField()
            }
        }
        guard let global else { throw .missingField("setUserWriteBlockMode.global") }
        let word = reason ?? Self.reasons[0]
        guard Self.reasons.contains(word) else {
            throw CommandError(
                .badValue, "Enumeration value '\(word)' for field 'setUserWriteBlockMode.reason' is not a valid value.")
        }
        self.init(isActive: global, reason: word)
    }
}

extension SharedSettings {
    /// - Throws: UserWritesBlocked (371) for a command that writes while the switch is on.
    package func checkWrite(_ request: CommandRequest) throws(CommandError) {
        guard areWritesBlocked, request.writes else { return }
        throw CommandError(ErrorCode(371, "UserWritesBlocked"), "User writes blocked")
    }
}

extension CommandRequest {
    /// Whether it changes documents, collections or indexes.
    var writes: Bool {
        switch name {
        case "insert", "update", "delete", "bulkWrite", "findAndModify", "findandmodify", "create", "collMod", "drop",
            "dropDatabase", "createIndexes", "dropIndexes", "deleteIndexes", "reIndex", "renameCollection",
            "convertToCapped", "cloneCollectionAsCapped", "applyOps":
            true
        case "aggregate": endsInOutput
        default: false
        }
    }

    private var endsInOutput: Bool {
        body.withRaw { raw in
            guard let pipeline = raw["pipeline"]?.array else { return false }
            return pipeline.contains { stage in
                stage.value.document?.firstElement.map { $0.key == "$out" || $0.key == "$merge" } ?? false
            }
        }
    }
}
