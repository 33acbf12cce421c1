internal import BSON
internal import CommandModel
internal import Query
internal import Storage

/// How a command would be carried out, in MongoDB's shape, and what only we can tell under `martlet`.
struct Explanation: Sendable {
    let namespace: Namespace
    /// nil where no collection is read.
    var query: FindQuery?
    /// nil where there is none of that name.
    var collection: Collection?
    /// Stages behind the query, as the client wrote them; nil where the query does it all.
    var stages: [Document]?
    /// What the command does with what it finds: `COUNT`, `UPDATE` …
    var action: String?

    func write(_ command: Document, _ context: CommandContext, into builder: inout DocumentBuilder) {
        builder.append("explainVersion", string: "1")
        if let stages {
            builder.beginArray("stages")
            var index = 0
            if query != nil {
                builder.append(index: index, .document(cursorStage))
                index += 1
            }
            for stage in stages {
                builder.append(index: index, .document(stage))
                index += 1
            }
            builder.end()
        } else if let query {
            writePlanner(query, &builder)
        }
        if let query, let collection { writeMartlet(query, collection, context.engine, &builder) }
        let own = Self.withoutShared(command)
        builder.append("queryShapeHash", string: QueryShape.hash(of: own))
        builder.append("command", .document(own))
        writeServer(context.server, &builder)
    }

    /// A command without session, concerns and the like.
    private static func withoutShared(_ command: Document) -> Document {
        Document { builder in
            command.withRaw { command in
                for field in command where field.key == "$db" || !SharedArguments.contains(field.key) {
                    builder.append(field)
                }
            }
        }
    }

    private var cursorStage: Document {
        Document { builder in
            builder.beginDocument("$cursor")
            if let query { writePlanner(query, &builder) }
            builder.end()
        }
    }

    private func writePlanner(_ query: FindQuery, _ builder: inout DocumentBuilder) {
        builder.beginDocument("queryPlanner")
        builder.append("namespace", string: namespace.description)
        builder.append("indexFilterSet", bool: false)
        builder.append("parsedQuery", .document(query.filter.specification))
        builder.beginDocument("winningPlan")
        writePlan(query, &builder)
        builder.end()
        builder.beginArray("rejectedPlans")
        builder.end()
        builder.end()
    }

    private func writePlan(_ query: FindQuery, _ builder: inout DocumentBuilder) {
        guard let collection else {
            builder.append("stage", string: "EOF")
            return
        }
        var depth = 0
        func begin(_ stage: String) {
            if depth > 0 { builder.beginDocument("inputStage") }
            builder.append("stage", string: stage)
            depth += 1
        }
        if let action { begin(action) }
        if query.isBlockingSort(in: collection) {
            begin("SORT")
            builder.append("sortPattern", .document(query.sort?.specification ?? .empty))
            if let wanted = query.matchesNeeded { builder.append("limitAmount", int64: Int64(wanted)) }
        }
        switch KeyConstraint(of: query.filter, in: collection).shape {
        case .points where query.singleKey(in: collection) != nil: begin("IDHACK")
        case .points, .range:
            begin("FETCH")
            writeFilter(query, &builder)
            begin("IXSCAN")
            builder.append("indexName", string: "_id_")
        case .any:
            begin("COLLSCAN")
            builder.append("direction", string: query.naturalDescending ? "backward" : "forward")
            writeFilter(query, &builder)
        }
        for _ in 1..<max(depth, 1) { builder.end() }
    }

    private func writeFilter(_ query: FindQuery, _ builder: inout DocumentBuilder) {
        let filter = query.filter.specification
        if !filter.isEmpty { builder.append("filter", .document(filter)) }
    }

    /// Where the command runs, and the SQL that it sends.
    private func writeMartlet(
        _ query: FindQuery, _ collection: Collection, _ engine: StorageEngine, _ builder: inout DocumentBuilder
    ) {
        builder.beginDocument("martlet")
        let pool = engine.pool(for: query, in: collection)
        let isSingle = stages == nil && query.singleKey(in: collection) != nil
        let isAnalytic = !isSingle && pool != .general
        builder.append("pool", string: isSingle ? "readers" : pool.rawValue)
        builder.append("isolation", string: isAnalytic ? "REPEATABLE READ, READ ONLY" : "READ COMMITTED")
        builder.append("estimatedRows", int64: engine.estimates[collection])
        let sql = isSingle ? collection.sql.pointRead : query.firstPlan(collection).sql
        builder.append("sql", string: sql)
        if let fields = query.narrowing?.paths {
            builder.beginArray("fields")
            for (index, path) in fields.enumerated() { builder.append(index: index, string: path) }
            builder.end()
        }
        builder.end()
    }

    private func writeServer(_ server: ServerState, _ builder: inout DocumentBuilder) {
        builder.beginDocument("serverInfo")
        builder.append("host", string: server.identity.hostName)
        builder.append("version", string: CompatibleVersion.text)
        builder.append("gitVersion", string: "martlet \(server.identity.version)")
        builder.end()
        builder.beginDocument("serverParameters")
        builder.end()
    }
}
