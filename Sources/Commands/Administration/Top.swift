internal import BSON
internal import CommandModel

// https://www.mongodb.com/docs/manual/reference/command/top/

extension CommandTable {
    /// Of this server, since its start. Fields that it does not know do not matter to it.
    @Sendable static func top(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        CommandReply { builder in
            builder.beginDocument("totals")
            builder.append("note", string: "all times in microseconds")
            for (namespace, counters) in context.server.namespaces.all {
                guard builder.count < ServerLimits.documentBytesMax - 4_096 else { break }
                builder.beginDocument(name: namespace.description)
                builder.write("total", counters.total)
                builder.write("readLock", counters.reads)
                builder.write("writeLock", counters.writes)
                builder.write("queries", counters[.queries])
                builder.write("getmore", counters[.getmore])
                builder.write("insert", counters[.insert])
                builder.write("update", counters[.update])
                builder.write("remove", counters[.remove])
                builder.write("commands", counters[.commands])
                builder.end()
            }
            builder.end()
        }
    }
}

extension DocumentBuilder {
    fileprivate mutating func write(_ name: StaticString, _ counter: NamespaceCounters.Counter) {
        beginDocument(name)
        append("time", int64: counter.nanoseconds / 1_000)
        append("count", int64: counter.count)
        end()
    }
}
