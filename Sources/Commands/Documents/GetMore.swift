internal import BSON
internal import CommandModel
internal import NIOCore
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/getMore/

struct GetMoreArguments {
    var cursorID: Int64 = 0
    var namespace: Namespace
    /// nil means as many as fit into a reply.
    var batchSize: Int?

    init(_ request: CommandRequest) throws(CommandError) {
        let id: Int64? = try request.body.withRaw { raw throws(CommandError) in
            var fields = raw.makeIterator()
            guard let first = fields.next() else { return nil }
            let argument = Argument(command: "getMore", key: first.key, value: first.value)
            return try argument.ifPresent(Argument.long)
        }
        guard let id else { throw .missingField("getMore.getMore") }
        cursorID = id
        var collection: String?
        var batchSize: Int?
        try request.forEachArgument(of: "getMore") { argument throws(CommandError) in
            switch argument.key {
            case "collection": collection = try argument.ifPresent(Argument.string)
            case "batchSize":
                let size = Int(clamping: try argument.ifPresent(Argument.nonNegativeInteger) ?? 0)
                batchSize = size == 0 ? nil : size
            case "term": try argument.ignoreInternalLong()
            case "lastKnownCommittedOpTime": _ = try argument.ifPresent(Argument.document)
            case "includeQueryStatsMetrics": _ = try argument.ifPresent(Argument.bool)
            default: throw argument.unknownField()
            }
        }
        guard let collection else { throw .missingField("getMore.collection") }
        self.batchSize = batchSize
        namespace = try .validated(database: request.database, collection: collection)
    }
}

extension CommandTable {
    @Sendable static func getMore(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let arguments = try GetMoreArguments(request)
        let cursors = context.engine.cursors
        context.server.counters.countGetMore()
        var cursor = try checkOut(arguments, request, context)
        do throws(StorageError) {
            let (batch, run) = try await nextBatch(of: cursor, arguments, request, context)
            if run.isExhausted {
                cursors.close(arguments.cursorID)
            } else {
                cursor.run = run
                cursors.checkIn(arguments.cursorID, cursor)
            }
            return closeCursorReply(
                batch.builder, arguments.namespace, id: run.isExhausted ? 0 : arguments.cursorID)
        } catch {
            cursors.close(arguments.cursorID)
            if cursor.snapshot != nil { throw CommandError(inTransaction: error).outsideTransaction }
            throw error.asCursorFailure(arguments.namespace)
        }
    }

    private static func nextBatch(
        of cursor: Cursor, _ arguments: GetMoreArguments, _ request: CommandRequest, _ context: CommandContext
    ) async throws(StorageError) -> (ReplyBatch, QueryRun) {
        var reply = CommandReply()
        beginCursorReply(&reply.builder, .next)
        var documents = context.documents
        if let snapshot = cursor.snapshot { documents.transaction = snapshot }
        let deadline = context.deadline(maxTimeMilliseconds: cursor.maxTimeMilliseconds)
        let end = NIODeadline.now() + .milliseconds(request.shared.timeLimit ?? awaitMillisecondsDefault)
        let (arrivals, cursors) = (context.engine.arrivals, context.engine.cursors)
        let empty = ReplyBatch(
            into: reply.builder, documentsMax: arguments.batchSize ?? .max, showing: cursor.run.query)
        var run = cursor.run
        while true {
            let seen = arrivals.news(of: run.collection)
            let batch: ReplyBatch
            (batch, run) = try await documents.fill(empty, from: run, deadline: deadline)
            guard
                cursor.awaitsData, batch.count == 0, run.mayGrow, !arrivals.isShutDown, NIODeadline.now() < end
            else {
                return (batch, run)
            }
            await arrivals.wait(in: run.collection, since: seen, until: end) {
                !deadline.hasPassed && cursors.isOpen(arguments.cursorID)
            }
            try deadline.check()
            guard cursors.isOpen(arguments.cursorID) else {
                throw .command(CommandError(ErrorCode(237, "CursorKilled"), "the cursor was killed while it waited"))
            }
        }
    }

    /// What MongoDB waits for when a getMore does not say.
    private static let awaitMillisecondsDefault: Int64 = 1_000

    private static func checkOut(
        _ arguments: GetMoreArguments, _ request: CommandRequest, _ context: CommandContext
    ) throws(CommandError) -> Cursor {
        let cursors = context.engine.cursors
        switch cursors.checkOut(arguments.cursorID) {
        case .missing:
            throw CommandError(.cursorNotFound, "cursor id \(arguments.cursorID) not found")
        case .inUse:
            throw CommandError(
                ErrorCode(292, "CursorInUse"), "cursor id \(arguments.cursorID) is already in use")
        case .cursor(let cursor):
            do throws(CommandError) {
                try check(cursor, arguments, request)
                return cursor
            } catch {
                cursors.checkIn(arguments.cursorID, cursor)
                throw error
            }
        }
    }

    private static func check(
        _ cursor: Cursor, _ arguments: GetMoreArguments, _ request: CommandRequest
    ) throws(CommandError) {
        guard cursor.owner == request.owner else {
            throw CommandError(
                .unauthorized, "cursor id \(arguments.cursorID) was not created by the authenticated user")
        }
        guard cursor.namespace == arguments.namespace else {
            throw CommandError(
                .unauthorized,
                "Requested getMore on namespace '\(arguments.namespace)', but cursor belongs to a different namespace "
                    + "\(cursor.namespace)"
            )
        }
        guard cursor.sessionID == request.shared.sessionID else {
            throw CommandError(
                ErrorCode(50738),
                "Cannot run getMore on cursor \(arguments.cursorID), which was created in another session")
        }
        let number = request.shared.isInTransaction ? request.shared.transactionNumber : nil
        guard cursor.transactionNumber == number else {
            throw CommandError(
                ErrorCode(50739),
                "Cannot run getMore on cursor \(arguments.cursorID), which belongs to another transaction or to none")
        }
        guard cursor.awaitsData || request.shared.timeLimit == nil else {
            throw CommandError(.badValue, "cannot set maxTimeMS on getMore command for a non-awaitData cursor")
        }
    }
}

extension StorageError {
    /// A cursor whose collection is gone cannot go on.
    func asCursorFailure(_ namespace: Namespace) -> CommandError {
        let error = CommandError(self)
        guard error.code == .namespaceNotFound else { return error }
        return CommandError(
            ErrorCode(175, "QueryPlanKilled"), "collection dropped. Namespace: \(namespace)")
    }
}
