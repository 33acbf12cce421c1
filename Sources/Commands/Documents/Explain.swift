internal import BSON
internal import CommandModel
internal import NIOCore
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/explain/

extension CommandTable {
    @Sendable static func explain(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let inner = try innerRequest(request)
        try request.forEachArgument(of: "explain") { argument throws(CommandError) in
            guard argument.key == "verbosity" else { throw argument.unknownField() }
            guard !argument.isOmitted else { return }
            guard ["queryPlanner", "executionStats", "allPlansExecution"].contains(try argument.string()) else {
                throw CommandError(
                    .badValue, "Enumeration value for field 'explain.verbosity' is not a valid value.")
            }
        }
        guard inner.name == "find" else {
            throw CommandError(.notImplemented, "explain of \(inner.name) is not supported yet")
        }
        let arguments = try FindArguments(inner)
        let environment = try context.environment(with: arguments.variables)
        let compile = { (collator: Collator?) throws(CommandError) -> FindQuery in
            var query = try arguments.query(environment, collator)
            query.preference = request.shared.routing
            return query
        }
        let compiled = try compile(arguments.collation.early)
        let collection = try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.catalog.collection(arguments.namespace)
        }
        if let collection, collection.view != nil {
            throw CommandError(.notImplemented, "explain: views are not supported yet")
        }
        let planned = try await context.engine.mapped { () async throws(StorageError) in
            guard let collection else { return compiled }
            return try arguments.collation.settled(compiled, in: collection, compile)
        }
        return CommandReply { builder in
            builder.append("explainVersion", string: "1")
            builder.beginDocument("queryPlanner")
            builder.append("namespace", string: arguments.namespace.description)
            builder.append("indexFilterSet", bool: false)
            builder.append("parsedQuery", .document(arguments.filter ?? .empty))
            builder.beginDocument("winningPlan")
            writePlan(planned, collection, arguments, &builder)
            builder.end()
            builder.beginArray("rejectedPlans")
            builder.end()
            builder.end()
            if let collection { writeMartlet(planned, collection, context.engine, &builder) }
            builder.append("command", .document(inner.body))
        }
    }

    /// The command that is explained, in the database of the outer one.
    private static func innerRequest(_ request: CommandRequest) throws(CommandError) -> CommandRequest {
        let body: Document? = request.body.withRaw { raw in
            raw.firstElement?.value.document.map(Document.init(copying:))
        }
        guard let body else { throw CommandError(.typeMismatch, "explain takes a command as an object") }
        let named = Document { builder in
            body.withRaw { raw in
                for field in raw where !(field.key == "$db") { builder.append(field) }
            }
            builder.append("$db", string: request.database)
        }
        return try CommandRequest(body: named, sequences: [])
    }

    private static func writePlan(
        _ query: FindQuery, _ collection: Collection?, _ arguments: FindArguments, _ builder: inout DocumentBuilder
    ) {
        guard let collection else {
            builder.append("stage", string: "EOF")
            return
        }
        if query.isBlockingSort(in: collection) {
            builder.append("stage", string: "SORT")
            builder.append("sortPattern", .document(arguments.sort ?? .empty))
            builder.beginDocument("inputStage")
            writeAccess(query, collection, arguments, &builder)
            builder.end()
        } else {
            writeAccess(query, collection, arguments, &builder)
        }
    }

    private static func writeAccess(
        _ query: FindQuery, _ collection: Collection, _ arguments: FindArguments, _ builder: inout DocumentBuilder
    ) {
        switch KeyConstraint(of: query.filter, in: collection).shape {
        case .points where query.singleKey(in: collection) != nil: builder.append("stage", string: "IDHACK")
        case .points, .range:
            builder.append("stage", string: "FETCH")
            builder.beginDocument("inputStage")
            builder.append("stage", string: "IXSCAN")
            builder.append("indexName", string: "_id_")
            builder.end()
        case .any:
            builder.append("stage", string: "COLLSCAN")
            builder.append("direction", string: query.naturalDescending ? "backward" : "forward")
        }
        if let filter = arguments.filter, !filter.isEmpty { builder.append("filter", .document(filter)) }
    }

    /// Where the command runs, and the SQL that it sends.
    private static func writeMartlet(
        _ query: FindQuery, _ collection: Collection, _ engine: StorageEngine, _ builder: inout DocumentBuilder
    ) {
        builder.beginDocument("martlet")
        let pool = engine.pool(for: query, in: collection)
        let isSingle = query.singleKey(in: collection) != nil
        let isAnalytic = !isSingle && pool != .general
        builder.append("pool", string: isSingle ? "readers" : pool.rawValue)
        builder.append("isolation", string: isAnalytic ? "REPEATABLE READ, READ ONLY" : "READ COMMITTED")
        builder.append("estimatedRows", int64: engine.estimates[collection])
        let sql = isSingle ? collection.sql.pointRead : query.scanPlan(collection).sql
        builder.append("sql", string: sql)
        builder.end()
    }
}
