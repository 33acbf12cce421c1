internal import BSON
internal import CommandModel

// https://www.mongodb.com/docs/manual/reference/command/buildInfo/

/// The version of MongoDB whose commands and answers drivers and tools may expect. Our own is under `martlet`.
enum CompatibleVersion {
    static let parts: [Int32] = [8, 0, 0, 0]
    static let text = "8.0.0"
    static let feature = "8.0"
}

extension CommandTable {
    @Sendable static func buildInfo(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try request.takesNoArguments("buildInfo")
        let identity = context.server.identity
        return CommandReply { builder in
            builder.append("version", string: CompatibleVersion.text)
            builder.append("gitVersion", string: "martlet \(identity.version)")
            builder.append("modules", strings: [])
            builder.append("allocator", string: "system")
            builder.append("javascriptEngine", string: "none")
            builder.append("sysInfo", string: "deprecated")
            builder.beginArray("versionArray")
            for (index, part) in CompatibleVersion.parts.enumerated() { builder.append(index: index, .int32(part)) }
            builder.end()
            writeOpenSSL(&builder)
            builder.append("bits", int32: Int32(Int.bitWidth))
            builder.append("debug", bool: false)
            builder.append("maxBsonObjectSize", int32: Int32(ServerLimits.documentBytesMax))
            builder.append("storageEngines", strings: ["martlet"])
            builder.beginDocument("martlet")
            builder.writeIdentity(identity)
            builder.end()
        }
    }

    private static func writeOpenSSL(_ builder: inout DocumentBuilder) {
        builder.beginDocument("openssl")
        builder.append("running", string: "disabled")
        builder.append("compiled", string: "disabled")
        builder.end()
    }
}

extension DocumentBuilder {
    /// Who answers in truth, for people and for tests that must know.
    mutating func writeIdentity(_ identity: ServerIdentity) {
        append("version", string: identity.version)
        append("postgresql", string: identity.postgresVersion)
    }
}
