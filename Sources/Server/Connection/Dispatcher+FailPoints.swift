internal import BSON
internal import CommandModel
internal import Commands

// What a fail point does to a command, between the client and the command's handler.

extension Dispatcher {
    func run(_ request: CommandRequest, through failPoints: FailPoints) async -> CommandReply {
        let data = failPoints.enter(request, from: context.connection)
        if let disturbed = await disturb(request, data) { return disturbed }
        var reply = await runWrite(request, through: failPoints)
        if let data { write(data, answering: request, into: &reply) }
        return reply
    }

    /// Waits, fails, or breaks the connection as `data` says; nil when the command is to run.
    func disturb(_ request: CommandRequest, _ data: FailPointData?) async -> CommandReply? {
        guard let data else { return nil }
        if data.blockMilliseconds > 0 { try? await Task.sleep(for: .milliseconds(data.blockMilliseconds)) }
        if data.closesConnection == true { return .broken }
        guard let number = data.errorCode else { return nil }
        let code = ErrorCode.published(number)
        // A `hello` tells the counter and does not move it: those of two clients would wake each other for ever.
        if !Self.isHandshake(request.body) { pretendChange(code) }
        var error = CommandError(code, "Failing command via 'failCommand' failpoint")
        if let labels = data.errorLabels { error.labels = labels } else { error = error.labelled(answering: request) }
        var reply = failure(error, request.body)
        write(data, answering: request, into: &reply)
        return reply
    }

    /// Before the reply, as with errors that are no pretence.
    private func pretendChange(_ code: ErrorCode) {
        if code.isStateChange { context.server.topology.pretendChange() }
    }

    private func write(_ data: FailPointData, answering request: CommandRequest, into reply: inout CommandReply) {
        guard let concern = data.writeConcernError else { return }
        reply.builder.append("writeConcernError", document: concern)
        guard !reply.isFailure else { return }
        let code = Int32(clamping: concern.withRaw { $0["code"]?.number?.asInt64Exact } ?? 0)
        let labels = data.errorLabels ?? ErrorLabelRule.labels(ofWriteConcernError: code, answering: request)
        Self.write(labels, into: &reply.builder)
        guard ErrorCode(code).isStateChange else { return }
        pretendChange(ErrorCode(code))
        reply.builder.writeTopologyVersion(context.server)
    }
}

// `onPrimaryTransactionalWrite`: the connection breaks right before or right after a retryable write commits.
extension Dispatcher {
    private func runWrite(_ request: CommandRequest, through failPoints: FailPoints) async -> CommandReply {
        guard request.isRetryableWrite else { return await run(request) }
        for statement in 0..<request.statementCount {
            guard let data = failPoints.enterBeforeCommit() else { continue }
            if let before = request.keeping(statement) { _ = await run(before) }
            if data.closesConnection != false { return .broken }
            let error = CommandError(.published(data.errorCode ?? 1), "Failing a write before its commit")
            pretendChange(error.code)
            return failure(error.labelled(answering: request), request.body)
        }
        var reply = await run(request)
        // A statement that an earlier attempt has executed commits nothing.
        for _ in 0..<max(0, request.statementCount - reply.retriedStatementCount) {
            if let data = failPoints.enterAfterCommit(), data.closesConnection != false { return .broken }
        }
        return reply
    }
}

extension FailPoints {
    /// The name of the client's application counts from its first message on, which says what it is.
    func enter(_ request: CommandRequest, from connection: ConnectionInfo) -> FailPointData? {
        if Dispatcher.isHandshake(request.body) { connection.introduce(request.body) }
        return enter(request, applicationName: connection.client?.applicationName)
    }
}

extension CommandReply {
    fileprivate static var broken: CommandReply {
        var reply = CommandReply()
        reply.isFailure = true
        reply.closesConnection = true
        return reply
    }

    fileprivate var retriedStatementCount: Int {
        builder.finish().withRaw { $0["retriedStmtIds"]?.array?.elementCount } ?? 0
    }
}

extension CommandRequest {
    fileprivate var isRetryableWrite: Bool {
        shared.transactionNumber != nil && !shared.isInTransaction && ErrorLabelRule.isRetryableWrite(name)
    }

    private var statementField: String? {
        switch name {
        case "insert": "documents"
        case "update": "updates"
        case "delete": "deletes"
        case "bulkWrite": "ops"
        default: nil
        }
    }

    /// How many statements the command has. The documents of an insert count one by one, although they commit together.
    fileprivate var statementCount: Int {
        guard let field = statementField else { return 1 }
        if let sequence = sequence(field) { return sequence.count }
        return body.withRaw { raw in raw.first { $0.key.string == field }?.value.array?.elementCount } ?? 0
    }

    /// The command with its first statements only; nil when there are none.
    fileprivate func keeping(_ count: Int) -> CommandRequest? {
        guard count > 0, let field = statementField else { return nil }
        let kept = sequences.map { sequence in
            sequence.identifier == field
                ? DocumentSequenceArgument(identifier: field, documents: Array(sequence.documents.prefix(count)))
                : sequence
        }
        let keptBody = sequence(field) == nil ? body.keeping(count, of: field) : body
        do throws(CommandError) { return try CommandRequest(body: keptBody, sequences: kept) } catch { return nil }
    }
}

extension Document {
    /// The same with the first elements only of the array `name`.
    fileprivate func keeping(_ count: Int, of name: String) -> Document {
        Document { builder in
            withRaw { raw in
                for field in raw {
                    guard field.key.string == name, let array = field.value.array else {
                        builder.append(field)
                        continue
                    }
                    builder.beginArray(field.key)
                    for element in array.prefix(count) { builder.append(element) }
                    builder.end()
                }
            }
        }
    }
}
