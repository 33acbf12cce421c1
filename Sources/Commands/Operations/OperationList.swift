internal import Access
internal import BSON
internal import CommandModel
internal import NIOCore
internal import Query
internal import Storage

/// What `$currentOp` lists: what the connections do, the cursors and the transactions that wait for their client.
struct OperationList {
    /// With more than this in the list, commands are cut whatever the client asks for.
    private static let bytesMax = 16 * 1_024 * 1_024

    private let request: CommandRequest
    private let context: CommandContext
    private let options: OperationListOptions

    /// - Throws: Unauthorized (13) for who asks for the operations of others and may not.
    init(
        _ request: CommandRequest, _ context: CommandContext, _ options: OperationListOptions
    ) throws(CommandError) {
        self.request = request
        self.context = context
        self.options = options
        guard !options.showsAllUsers || context.access.allows(.inprog, on: .cluster) else {
            throw CommandError(.unauthorized, "not authorized to see the operations of others")
        }
    }

    /// Of whom nothing is asked, all is everybody's.
    private func isShown(_ owner: [UInt8]?) -> Bool { options.showsAllUsers || owner == request.owner }

    private var host: String { context.server.identity.advertisedHost }

    func documents() -> [Document] {
        connections + (options.showsIdleCursors ? cursors : []) + (options.showsIdleSessions ? transactions : [])
    }

    private var connections: [Document] {
        var documents: [Document] = []
        var bytes = 0
        for connection in context.server.operations.all {
            let operation = connection.operation
            guard options.showsIdleConnections || operation != nil, isShown(connection.owner(context)) else { continue }
            let size = operation?.request.body.count ?? 0
            let document = OperationReport(connection, host: host)
                .document(operation, truncates: options.truncates || bytes + size > Self.bytesMax)
            bytes += document.count
            documents.append(document)
        }
        return documents
    }

    private var cursors: [Document] {
        let now = ClusterClock.wallMilliseconds()
        return context.engine.cursors.idle().filter { isShown($0.cursor.owner) }.map { id, cursor, idleTime in
            Document { builder in
                builder.append("type", string: "idleCursor")
                builder.append("host", string: host)
                builder.append("ns", string: cursor.namespace.description)
                if let session = cursor.sessionID { builder.append(lsid: session) }
                builder.beginDocument("cursor")
                builder.append("cursorId", int64: id)
                builder.append("lastAccessDate", date: now - idleTime.nanoseconds / 1_000_000)
                builder.append("noCursorTimeout", bool: cursor.isImmortal)
                builder.append("tailable", bool: cursor.run.query.isTailable)
                builder.append("awaitData", bool: cursor.awaitsData)
                builder.end()
            }
        }
    }

    /// Of sessions that have no command under way.
    private var transactions: [Document] {
        let busy = Set(context.server.operations.all.compactMap { $0.operation?.request.shared.sessionID })
        return context.engine.transactions.openSessions().filter { !busy.contains($0) && isShown($0.owner) }.map {
            session in
            Document { builder in
                builder.append("type", string: "idleSession")
                builder.append("host", string: host)
                builder.append("desc", string: "inactive transaction")
                builder.append("active", bool: false)
                builder.append(lsid: session)
                builder.beginDocument("transaction")
                builder.append("autocommit", bool: false)
                builder.end()
            }
        }
    }
}

extension DocumentBuilder {
    mutating func append(lsid session: LogicalSessionID) {
        beginDocument("lsid")
        append("id", binary: session.uuid, subtype: 4)
        end()
    }
}
