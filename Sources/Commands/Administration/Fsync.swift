internal import BSON
internal import CommandModel
internal import Logging
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/fsync/ and fsyncUnlock, lockInfo.

private struct FsyncArguments {
    static let waitMillisecondsDefault: Int32 = 90_000

    private(set) var locks = false
    private(set) var waitMilliseconds = waitMillisecondsDefault

    init(_ request: CommandRequest) throws(CommandError) {
        var taken = self
        try request.forEachArgument(of: "fsync") { argument throws(CommandError) in
            switch argument.key {
            case "lock": taken.locks = try argument.ifPresent(Argument.lenientBool) ?? false
            case "fsyncLockAcquisitionTimeoutMillis":
                guard !argument.isOmitted else { return }
                guard let milliseconds = argument.value.int32 else { throw argument.wrongType(expected: "int") }
                taken.waitMilliseconds = milliseconds
            default: throw argument.unknownField()
            }
        }
        self = taken
    }
}

extension CommandTable {
    /// Has PostgreSQL flush its log, and with `lock` keeps all writers out: those of this server, of others on the same
    /// PostgreSQL, and of SQL. A copy of PostgreSQL's files needs no such lock, only its log.
    @Sendable static func fsync(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let arguments = try FsyncArguments(request)
        try await context.engine.mapped { () async throws(StorageError) in try await context.engine.flush() }
        guard arguments.locks else { return CommandReply { $0.append("numFiles", int32: 1) } }
        let count = try await context.engine.writeLock.lock(
            waiting: arguments.waitMilliseconds, until: context.deadline(of: request))
        context.logger.notice("locked against writes", metadata: ["count": "\(count)"])
        return CommandReply { builder in
            builder.append("info", string: "now locked against writes, use db.fsyncUnlock() to unlock")
            builder.append("lockCount", int64: count)
            builder.append("seeAlso", string: "https://www.mongodb.com/docs/manual/reference/command/fsyncUnlock/")
        }
    }

    @Sendable static func fsyncUnlock(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        guard let count = await context.engine.writeLock.unlock() else {
            throw CommandError(.illegalOperation, "fsyncUnlock called when not locked")
        }
        context.logger.notice("unlocked for writes", metadata: ["count": "\(count)"])
        return CommandReply { builder in
            builder.append("info", string: "fsyncUnlock completed")
            builder.append("lockCount", int64: count)
        }
    }

    /// PostgreSQL's locks on the tables of documents, by collection, in its own words for the modes.
    @Sendable static func lockInfo(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try request.takesNoArguments("lockInfo")
        let locks = try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.collectionLocks()
        }
        let isLocked = await context.engine.writeLock.count > 0
        return CommandReply { builder in
            builder.beginArray("lockInfo")
            var index = 0
            if isLocked {
                writeLocks("{Global: fsync}", [CollectionLock.ofFsync], at: index, &builder)
                index += 1
            }
            for (namespace, held) in locks {
                writeLocks("{Collection: \(namespace)}", held, at: index, &builder)
                index += 1
            }
            builder.end()
        }
    }

    private static func writeLocks(
        _ resource: String, _ locks: [CollectionLock], at index: Int, _ builder: inout DocumentBuilder
    ) {
        builder.beginDocument(index: index)
        builder.append("resourceId", string: resource)
        for isGranted in [true, false] {
            builder.beginArray(isGranted ? "granted" : "pending")
            for (position, lock) in locks.filter({ $0.isGranted == isGranted }).enumerated() {
                builder.beginDocument(index: position)
                builder.append("mode", string: lock.mode)
                if lock.process > 0 { builder.append("postgresqlProcess", int32: lock.process) }
                builder.end()
            }
            builder.end()
        }
        builder.end()
    }
}

extension CollectionLock {
    fileprivate static let ofFsync = CollectionLock(mode: "ShareLock", isGranted: true, process: 0)
}
