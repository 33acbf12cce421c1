internal import BSON
internal import CommandModel
internal import Commands
internal import Logging
internal import NIOCore

/// Takes a command from its body to the body of its reply: looks it up, checks what holds for every command, runs it,
/// and says how it went. Never throws: a command that fails has a reply, too.
struct Dispatcher: Sendable {
    private let table: CommandTable
    let context: CommandContext

    init(table: CommandTable, context: CommandContext) {
        self.table = table
        self.context = context
    }

    func run(_ body: Document, _ sequences: [DocumentSequenceArgument]) async -> CommandReply {
        do throws(CommandError) {
            let request = try CommandRequest(body: body, sequences: sequences)
            if let failPoints = context.server.failPoints, failPoints.isArmed {
                return await run(request, through: failPoints)
            }
            return await run(request)
        } catch {
            return failure(error, body)
        }
    }

    func run(_ request: CommandRequest) async -> CommandReply {
        let start = NIODeadline.now()
        var known = KnownCommand()
        let reply = await run(request, &known)
        let time = NIODeadline.now() - start
        let ended = EndedCommand(
            request, reply, nanoseconds: time.nanoseconds, from: context.connection, operation: known.operation)
        note(ended, known.number)
        return reply
    }

    /// What is found out about a command while it runs.
    private struct KnownCommand {
        /// Of its entry in the table.
        var number: Int?
        var operation: Operation?
    }

    private func note(_ ended: EndedCommand, _ command: Int?) {
        let server = context.server
        let isSlow = ended.nanoseconds > server.profiler.slowNanoseconds
        server.commands.ended(
            command, nanoseconds: Int(ended.nanoseconds), isFailure: ended.reply.isFailure, isSlow: isSlow,
            isWaiting: ended.isWaiting)
        guard let command else { return }
        if isSlow, ended.isOfInterest, !ended.isWaiting { server.slowCommands.note(ended.asSlow) }
        server.audit.note(ended, table.auditRule(of: command), mayLog: server.limits.mayLog)
        server.profiler.ended(ended, logger: context.logger)
        if !ended.reply.isFailure { server.namespaces.ended(ended.request, nanoseconds: ended.nanoseconds) }
    }

    private func run(_ request: CommandRequest, _ known: inout KnownCommand) async -> CommandReply {
        do throws(CommandError) {
            let entry = try lookUp(request)
            // Nothing is done, which nobody needs a right for, nor is to be noted.
            if request.shared.asksForHelp {
                return success(CommandReply { $0.append("help", string: "help for: \(entry.name) \(entry.help)") })
            }
            known.number = entry.number
            try check(request, entry)
            let request = try await Authorizer.check(entry, request, context)
            if let session = request.shared.sessionID { context.server.sessions.touch(session) }
            if entry.isCountedAsCommand { context.server.counters.countCommand() }
            let operation = context.server.operations.begin(request, on: context.connection)
            known.operation = operation
            defer { context.connection.endOperation() }
            await context.server.profiler.flush(before: request, on: context)
            return success(try await run(entry, request, context.during(operation)))
        } catch {
            // Before the reply, which says how far the counter is. The watch over PostgreSQL finds out when it is back.
            if error.code.isStateChange { context.server.topology.setWritable(false) }
            return failure(error.labelled(answering: request), request.body)
        }
    }

    private func run(
        _ entry: CommandTable.Entry, _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        guard request.shared.isInTransaction, !Self.transactionEnds.contains(entry.name) else {
            return SnapshotRead.isMeant(by: request.shared)
                ? try await SnapshotRead.run(entry, request, context)
                : try await RetryableWrite.run(entry, request, context)
        }
        return try await TransactionStatement.run(entry, request, context)
    }

    /// The next reply of a streaming `hello`, once there is something to tell or the time is over.
    ///
    /// - Parameter lastCounter: what the reply before told; nil for the first.
    func nextHello(_ body: Document, after lastCounter: Int64?) async -> (reply: CommandReply, counter: Int64?) {
        do throws(CommandError) {
            let request = try CommandRequest(body: body, sequences: [])
            if let failPoints = context.server.failPoints, failPoints.isArmed,
                let disturbed = await disturb(request, failPoints.enter(request, from: context.connection))
            {
                return (disturbed, nil)
            }
            let (reply, counter) = try await Hello.reply(
                to: request, context, isLegacy: request.name != "hello", after: lastCounter)
            return (success(reply), counter)
        } catch {
            return (failure(error, body), nil)
        }
    }

    /// Whether a command may be the first message of a client, in the legacy format.
    static func isHandshake(_ body: Document) -> Bool {
        body.withRaw { raw in
            guard let name = raw.firstElement?.key else { return false }
            return name == "hello" || name == "isMaster" || name == "ismaster"
        }
    }

    private func success(_ reply: consuming CommandReply) -> CommandReply {
        reply.builder.append("ok", double: 1)
        writeTimes(into: &reply.builder)
        return reply
    }

    /// The reply to a message that is no command.
    func refuse(_ error: CommandError) -> CommandReply {
        failure(error, .empty)
    }

    private func lookUp(_ request: CommandRequest) throws(CommandError) -> CommandTable.Entry {
        guard let entry = table[request.name], !entry.isTestsOnly || context.server.failPoints != nil else {
            throw CommandError(.commandNotFound, "no such command: '\(request.name)'")
        }
        return entry
    }

    private func check(_ request: CommandRequest, _ entry: CommandTable.Entry) throws(CommandError) {
        if entry.isAdminOnly, request.database != "admin" {
            throw CommandError(.unauthorized, "\(entry.name) may only be run against the admin database.")
        }
        if request.shared.apiStrict, !entry.isInStableAPI {
            throw CommandError(
                .apiStrictError,
                "Provided apiStrict:true, but the command \(entry.name) is not in API Version 1")
        }
        try context.server.settings.checkWrite(request)
        try checkTransactionNumber(request.shared, entry)
        try checkClusterTime(request.shared)
        guard !request.shared.isInTransaction || Self.transactionEnds.contains(entry.name) else { return }
        try ConcernSupport(of: entry.name).check(request.shared, command: entry.name)
    }

    /// Every read sees all that was committed before it, so it is after any time that was ever told.
    private func checkClusterTime(_ shared: SharedArguments) throws(CommandError) {
        if let told = shared.clusterTime { context.server.clock.observe(told) }
        if let after = shared.readConcern?.afterClusterTime, after > context.server.clock.current() {
            throw CommandError(
                .invalidOptions,
                "readConcern afterClusterTime value must not be greater than the current clusterTime")
        }
    }

    /// A number without `autocommit` marks a write that may be sent twice; other commands have no use for it.
    private func checkTransactionNumber(
        _ shared: SharedArguments, _ entry: CommandTable.Entry
    ) throws(CommandError) {
        guard shared.transactionNumber != nil, !shared.isInTransaction else { return }
        guard ErrorLabelRule.isRetryableWrite(entry.name) || Self.transactionEnds.contains(entry.name) else {
            throw CommandError(
                .notARetryableWriteCommand,
                "txnNumber may only be provided for multi-document transactions and retryable write commands. "
                    + "autocommit:false was not provided, and \(entry.name) is not a retryable write command.")
        }
    }

    /// What ends transactions says more about a number than this.
    private static let transactionEnds = ["commitTransaction", "abortTransaction"]

    func failure(_ error: CommandError, _ body: Document) -> CommandReply {
        context.logger.debug(
            "command failed",
            metadata: ["code": "\(error.code.number)", "error": "\(error.message)", "bytes": "\(body.count)"])
        var reply = CommandReply()
        reply.isFailure = true
        Self.write(error.labels, into: &reply.builder)
        reply.builder.append("ok", double: 0)
        reply.builder.append("errmsg", string: error.message)
        reply.builder.append("code", int32: error.code.number)
        reply.builder.append("codeName", string: error.code.name)
        error.details?.withRaw { raw in
            for field in raw { reply.builder.append(field) }
        }
        // Drivers then know whether they have heard of the change, and that their streamed `hello` will tell the rest.
        if error.code.isStateChange { reply.builder.writeTopologyVersion(context.server) }
        writeTimes(into: &reply.builder)
        return reply
    }

    static func write(_ labels: [String], into builder: inout DocumentBuilder) {
        guard !labels.isEmpty else { return }
        builder.beginArray("errorLabels")
        for (index, label) in labels.enumerated() { builder.append(index: index, string: label) }
        builder.end()
    }

    /// Logical time, which drivers pass on for causal consistency. There is no key to sign it with and nobody to check
    /// a signature, hence the empty one that MongoDB sends without authentication.
    private func writeTimes(into builder: inout DocumentBuilder) {
        let time = context.server.clock.current()
        builder.beginDocument("$clusterTime")
        builder.append("clusterTime", timestamp: time)
        builder.beginDocument("signature")
        builder.append("hash", binary: Self.emptyHash, subtype: 0)
        builder.append("keyId", int64: 0)
        builder.end()
        builder.end()
        builder.append("operationTime", timestamp: time)
    }

    private static let emptyHash = [UInt8](repeating: 0, count: 20)
}
