internal import BSON
internal import CommandModel
internal import NIOCore
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/update/

/// One element of `updates`.
struct UpdateStatement {
    var filter = Document.empty
    var update: Value?
    var isMulti = false
    var isUpsert = false
    var arrayFilters: [Document] = []
    var sort: Document?

    init(_ document: Document) throws(CommandError) {
        var hasFilter = false
        try document.withRaw { raw throws(CommandError) in
            for field in raw {
                let argument = Argument(command: "update.updates", key: field.key, value: field.value)
                if field.key == "q" { hasFilter = true }
                try take(argument)
            }
        }
        guard hasFilter else { throw .missingField("update.updates.q") }
        guard update != nil else { throw .missingField("update.updates.u") }
    }

    private mutating func take(_ argument: Argument) throws(CommandError) {
        switch argument.key {
        case "q": filter = try argument.document()
        case "u":
            guard argument.value.container != nil else {
                throw CommandError(.failedToParse, "Update argument must be either an object or an array")
            }
            update = Value(copying: argument.value)
        case "c": throw CommandError(.notImplemented, "update with constants ('c') is not supported")
        case "multi": isMulti = try argument.lenientBool()
        case "upsert": isUpsert = try argument.lenientBool()
        case "arrayFilters": arrayFilters = try argument.documents()
        case "sort": sort = try argument.document()
        case "hint": try argument.checkHint()
        case "collation": try argument.checkCollation()
        case "upsertSupplied", "sampleId", "allowShardKeyUpdatesWithoutFullShardKeyInQuery",
            "includeQueryStatsMetrics":
            break
        default: throw argument.unknownField()
        }
    }

    func operation(
        on namespace: Namespace, wantsImages: Bool = false, _ server: ServerState
    ) throws(CommandError) -> DocumentOperation {
        guard let update else { throw .missingField("update.updates.u") }
        let program = try UpdateProgram(
            compiling: update, arrayFilters: arrayFilters, multi: isMulti, isUpsert: isUpsert)
        return DocumentOperation(
            on: namespace, filter: try Filter(compiling: filter), action: .update(program),
            upsertID: isUpsert ? server.newObjectID() : nil, wantsImages: wantsImages)
    }
}

extension CommandTable {
    @Sendable static func update(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try request.namespace()
        let (list, isOrdered) = try writeStatements("update", "updates", request)
        var statements: [UpdateStatement] = []
        for document in list { statements.append(try UpdateStatement(document)) }

        let deadline = Deadline(maxTimeMilliseconds: request.shared.maxTimeMilliseconds)
        var errors = WriteErrors(isOrdered: isOrdered)
        var matched: Int64 = 0
        var modified: Int64 = 0
        var upserted: [(index: Int, id: Value)] = []
        for (index, statement) in statements.enumerated() where !errors.mustStop {
            context.server.counters.countUpdate()
            do throws(CommandError) {
                let tally = try await run(statement, on: namespace, deadline, context)
                matched += tally.matched
                modified += tally.modified
                if let id = tally.upsertedID {
                    upserted.append((index, id))
                    matched += 1
                }
            } catch {
                errors.add(error, at: index)
            }
        }
        _ = context.server.clock.tick()
        return CommandReply { builder in
            builder.append("n", int32: Int32(truncatingIfNeeded: matched))
            writeUpserted(upserted, into: &builder)
            builder.append("nModified", int32: Int32(truncatingIfNeeded: modified))
            errors.write(into: &builder)
            request.shared.writeUnsatisfiedConcern(into: &builder)
        }
    }

    private static func run(
        _ statement: UpdateStatement, on namespace: Namespace, _ deadline: Deadline, _ context: CommandContext
    ) async throws(CommandError) -> WriteTally {
        let engine = context.engine
        let operation = try statement.operation(on: namespace, context.server)
        let sort = try statement.sort.map { document throws(CommandError) in try SortPattern(compiling: document) }
        guard !(statement.isMulti && sort != nil) else {
            throw CommandError(.failedToParse, "Cannot specify sort with multi=true")
        }
        let body = { @Sendable (collection: Collection) async throws(StorageError) -> WriteTally in
            if statement.isMulti {
                return try await engine.modifyMany(operation, in: collection, deadline: deadline)
            }
            return WriteTally(
                try await engine.modifyOne(operation, in: collection, sort: sort, deadline: deadline))
        }
        if statement.isUpsert { return try await engine.withCollectionCreated(namespace, body) }
        return try await engine.withCollection(namespace, body) ?? WriteTally()
    }

    private static func writeUpserted(
        _ upserted: [(index: Int, id: Value)], into builder: inout DocumentBuilder
    ) {
        guard !upserted.isEmpty else { return }
        builder.beginArray("upserted")
        for (position, entry) in upserted.enumerated() {
            builder.beginDocument(index: position)
            builder.append("index", int32: Int32(entry.index))
            builder.append("_id", entry.id)
            builder.end()
        }
        builder.end()
    }
}
