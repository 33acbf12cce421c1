internal import Access
internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/killCursors/

extension CommandTable {
    @Sendable static func killCursors(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        // A collection must be named, and need not be the cursors'.
        let namespace = try request.namespace()
        var ids: [Int64]?
        try request.forEachArgument(of: "killCursors") { argument throws(CommandError) in
            guard argument.key == "cursors" else { throw argument.unknownField() }
            guard !argument.isOmitted else { return }
            var list: [Int64] = []
            for element in try argument.array() where !element.value.isNullish {
                guard let id = element.value.int64 else {
                    throw CommandError.wrongType(
                        "killCursors.cursors.\(element.key.string)", element.value, expected: "long")
                }
                list.append(id)
            }
            ids = list
        }
        guard let ids else { throw .missingField("killCursors.cursors") }
        let isForAll = context.access.allows(.killAnyCursor, on: .collection(namespace))
        for id in ids where !isForAll {
            guard let owner = context.engine.cursors.owner(of: id) else { continue }
            guard owner == request.owner else {
                throw CommandError(.unauthorized, "not authorized to kill cursor \(id): it is another user's")
            }
        }
        let killed = ids.map { context.engine.cursors.kill($0) }
        return CommandReply { builder in
            write("cursorsKilled", zip(ids, killed).filter(\.1).map(\.0), &builder)
            write("cursorsNotFound", zip(ids, killed).filter { !$0.1 }.map(\.0), &builder)
            write("cursorsAlive", [], &builder)
            write("cursorsUnknown", [], &builder)
        }
    }

    private static func write(_ name: StaticString, _ ids: [Int64], _ builder: inout DocumentBuilder) {
        builder.beginArray(name)
        for (index, id) in ids.enumerated() { builder.append(index: index, .int64(id)) }
        builder.end()
    }
}
