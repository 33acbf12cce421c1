internal import Access
internal import BSON
internal import CommandModel
internal import NIOCore
internal import Query
internal import Storage

/// A connection and what it is doing, as `currentOp` shows it.
struct OperationReport {
    /// A longer command is shown as the beginning of its text.
    static let commandBytesMax = 1_024

    private let connection: ConnectionInfo
    private let host: String

    init(_ connection: ConnectionInfo, host: String) {
        self.connection = connection
        self.host = host
    }

    /// - Parameters:
    ///   - operation: nil for a connection that does nothing.
    ///   - truncates: whether a long command is cut.
    func document(_ operation: Operation?, now: NIODeadline = .now(), truncates: Bool = true) -> Document {
        Document { builder in
            writeConnection(into: &builder)
            builder.append("active", bool: operation != nil)
            if let time = ISODate.text(ClusterClock.wallMilliseconds()) {
                builder.append("currentOpTime", string: time)
            }
            if let operation { Self.write(operation, now, truncates, into: &builder) }
        }
    }

    private func writeConnection(into builder: inout DocumentBuilder) {
        builder.append("type", string: "op")
        builder.append("host", string: host)
        builder.append("desc", string: "conn\(connection.id)")
        builder.append("connectionId", narrowest: connection.id)
        builder.append("client", string: connection.remoteAddress)
        if let user = connection.user { builder.append("effectiveUsers", users: [user.name]) }
        guard let client = connection.client else { return }
        if let name = client.applicationName { builder.append("appName", string: name) }
        builder.append("clientMetadata", document: client.document)
    }

    private static func write(
        _ operation: Operation, _ now: NIODeadline, _ truncates: Bool, into builder: inout DocumentBuilder
    ) {
        let request = operation.request
        let microseconds = max(0, (now - operation.startedAt).nanoseconds / 1_000)
        builder.append("opid", int32: operation.id)
        builder.append("secs_running", int64: microseconds / 1_000_000)
        builder.append("microsecs_running", int64: microseconds)
        if let session = request.shared.sessionID {
            builder.beginDocument("lsid")
            builder.append("id", binary: session.uuid, subtype: 4)
            builder.end()
        }
        if let number = request.shared.transactionNumber { builder.append("txnNumber", int64: number) }
        builder.append("op", string: kind(of: request.name))
        builder.append("ns", string: namespace(of: request))
        writeCommand(request, truncates, into: &builder)
        if let shape = QueryShape(of: request.body, in: request.database) {
            builder.append("queryShapeHash", string: shape.hash.description)
        }
        if let progress = operation.interruption.progress {
            builder.append("msg", string: progress.message)
            builder.beginDocument("progress")
            builder.append("done", int64: progress.done)
            builder.append("total", int64: progress.total)
            builder.end()
        }
        if operation.interruption.reason != nil { builder.append("killPending", bool: true) }
        builder.append("waitingForLock", bool: false)
    }

    private static func writeCommand(
        _ request: CommandRequest, _ truncates: Bool, into builder: inout DocumentBuilder
    ) {
        builder.append("command", document: request.shownBody(bytesMax: truncates ? commandBytesMax : .max))
    }

    private static func namespace(of request: CommandRequest) -> String {
        guard let collection = request.collectionName else { return "\(request.database).$cmd" }
        return "\(request.database).\(collection)"
    }

    static func kind(of command: String) -> String {
        switch command {
        case "find": "query"
        case "getMore": "getmore"
        case "insert", "update": command
        case "delete": "remove"
        default: "command"
        }
    }
}
