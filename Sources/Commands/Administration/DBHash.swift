internal import BSON
internal import CommandModel
internal import NIOCore
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/dbHash/

extension CommandTable {
    @Sendable static func dbHash(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try Namespace.validate(database: request.database)
        let names = try hashedNames(request)
        let start = NIODeadline.now()
        let hashes = try await context.engine.hashes(
            ofDatabase: request.database, among: names, deadline: context.deadline(of: request))
        return CommandReply { builder in
            builder.append("host", string: context.server.identity.advertisedHost)
            builder.beginDocument("collections")
            for hash in hashes { builder.append(name: hash.name, .string(hash.md5)) }
            builder.end()
            builder.append("capped", strings: hashes.filter(\.isCapped).map(\.name))
            builder.beginDocument("uuids")
            for hash in hashes { builder.append(name: hash.name, .binary(hash.uuid, subtype: 4)) }
            builder.end()
            builder.append("md5", string: StorageEngine.hash(of: hashes))
            let milliseconds = (NIODeadline.now() - start).nanoseconds / 1_000_000
            builder.append("timeMillis", int32: Int32(clamping: milliseconds))
        }
    }

    /// What is no array names none, and then all are meant.
    private static func hashedNames(_ request: CommandRequest) throws(CommandError) -> Set<String> {
        try request.body.withRaw { raw throws(CommandError) in
            guard let list = raw["collections"]?.array else { return [] }
            var names: Set<String> = []
            for element in list {
                guard let name = element.value.string else {
                    throw CommandError(.badValue, "collections entries have to be strings")
                }
                names.insert(name)
            }
            return names
        }
    }
}
