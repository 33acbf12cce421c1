package import BSON
package import CommandModel
internal import Logging
internal import NIOCore
internal import Storage

/// A command, its reply, and how long it took: what the profiler decides by and notes.
package struct EndedCommand {
    package let request: CommandRequest
    package let reply: CommandReply
    package let nanoseconds: Int64
    let connection: ConnectionInfo
    private let operation: Operation?

    package init(
        _ request: CommandRequest, _ reply: CommandReply, nanoseconds: Int64, from connection: ConnectionInfo,
        operation: Operation? = nil
    ) {
        self.operation = operation
        self.request = request
        self.reply = reply
        self.nanoseconds = nanoseconds
        self.connection = connection
    }

    /// Handshakes wait for changes of the server's state; and a look at the notes makes none.
    package var isOfInterest: Bool {
        switch request.name {
        case "hello", "isMaster", "ismaster": false
        default: request.collectionName != Profiler.collectionName
        }
    }

    /// A cursor that waits for new documents is not slow.
    func isSlow(by rule: ProfileRule, chance: Double) -> Bool {
        !isWaiting && rule.isSlow(nanoseconds: nanoseconds, chance: chance)
    }

    /// It has waited for documents to come, as long as its client wished.
    package var isWaiting: Bool { request.name == "getMore" && request.shared.timeLimit != nil }

    private var namespace: String {
        let collection = request.namesCollection ? request.collectionName : nil
        return "\(request.database).\(collection ?? "$cmd")"
    }

    private var milliseconds: Int64 { nanoseconds / 1_000_000 }
}

extension EndedCommand {
    /// As the live page shows it.
    package var asSlow: SlowCommand {
        SlowCommand(
            endedAt: ClusterClock.wallMilliseconds(), name: request.name, namespace: namespace,
            nanoseconds: nanoseconds, errorCode: reply.isFailure ? code : nil,
            applicationName: connection.client?.applicationName,
            trace: operation?.interruption.trace ?? OperationTrace())
    }

    private var code: Int64 { reply.withFields { $0["code"]?.number?.saturatingInt64 ?? 0 } }
}

// As a document of `system.profile`.
extension EndedCommand {
    /// https://www.mongodb.com/docs/manual/reference/database-profiler/
    func entry(id: ObjectID) -> Document {
        Document { builder in
            builder.append("_id", objectID: id)
            builder.append("op", string: OperationReport.kind(of: request.name))
            builder.append("ns", string: namespace)
            builder.append("command", document: request.shownBody(bytesMax: OperationReport.commandBytesMax))
            writeOutcome(into: &builder)
            builder.append("responseLength", int32: Int32(clamping: reply.builder.count))
            builder.append("protocol", string: "op_msg")
            builder.append("millis", int32: Int32(clamping: milliseconds))
            builder.append("micros", int64: nanoseconds / 1_000)
            builder.append("ts", date: ClusterClock.wallMilliseconds())
            builder.append("client", string: connection.remoteAddress)
            if let name = connection.client?.applicationName { builder.append("appName", string: name) }
            if let session = request.shared.sessionID {
                builder.beginDocument("lsid")
                builder.append("id", binary: session.uuid, subtype: 4)
                builder.end()
            }
        }
    }

    private func writeOutcome(into builder: inout DocumentBuilder) {
        reply.withFields { raw in
            if reply.isFailure {
                builder.append("ok", int32: 0)
                if let code = raw["code"] { builder.append("errCode", code) }
                if let name = raw["codeName"] { builder.append("errName", name) }
                if let message = raw["errmsg"] { builder.append("errMsg", message) }
                return
            }
            if let cursor = raw["cursor"]?.document {
                if let id = cursor["id"], id.number?.isZero == false { builder.append("cursorid", id) }
                let batch = cursor["firstBatch"]?.array ?? cursor["nextBatch"]?.array
                builder.append("nreturned", int32: Int32(clamping: batch?.elementCount ?? 0))
            }
            let counted: StaticString? =
                switch request.name {
                case "insert": "ninserted"
                case "delete": "ndeleted"
                case "update": "nMatched"
                default: nil
                }
            if let counted, let count = raw["n"] { builder.append(counted, count) }
            if let count = raw["nModified"] { builder.append("nModified", count) }
        }
    }
}

extension EndedCommand {
    /// One line, with the command as it came but for secrets.
    func log(to logger: Logger) {
        var metadata: Logger.Metadata = [
            "ns": "\(namespace)", "command": "\(request.name)", "ms": "\(milliseconds)",
            "client": "\(connection.remoteAddress)", "responseLength": "\(reply.builder.count)",
            "text": "\(request.shownBody(bytesMax: OperationReport.commandBytesMax).withRaw { ShellText.of($0) })",
        ]
        if let name = connection.client?.applicationName { metadata["appName"] = "\(name)" }
        let steps = operation?.interruption.trace.steps ?? []
        if !steps.isEmpty { metadata["pools"] = "\(steps.compactMap(\.pool).joined(separator: ", "))" }
        let statements = steps.compactMap(\.sql)
        if !statements.isEmpty { metadata["sql"] = "\(statements.joined(separator: "; "))" }
        if reply.isFailure {
            metadata["code"] = "\(code)"
        }
        logger.notice("slow command", metadata: metadata)
    }
}

extension CommandReply {
    /// The fields of the finished reply.
    func withFields<R>(_ body: (RawDocument) -> R) -> R {
        let copy = builder
        return copy.finish().withRaw(body)
    }
}

extension CommandRequest {
    /// What may be shown of the command: nothing of one that bears secrets, the beginning of a long one.
    func shownBody(bytesMax: Int) -> Document {
        let body = shownBody
        guard body.count > bytesMax else { return body }
        return Document { builder in
            builder.append("$truncated", string: body.withRaw { ShellText.of($0) })
            if let comment = shared.comment, comment.buffer.readableBytes <= bytesMax {
                builder.append("comment", comment)
            }
        }
    }
}
