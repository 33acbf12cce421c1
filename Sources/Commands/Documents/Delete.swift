internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/delete/

/// One element of `deletes`.
struct DeleteStatement {
    var filter = Document.empty
    var isMulti = false

    init(_ document: Document) throws(CommandError) {
        var hasFilter = false
        var hasLimit = false
        try document.withRaw { raw throws(CommandError) in
            for field in raw {
                let argument = Argument(command: "delete.deletes", key: field.key, value: field.value)
                switch field.key {
                case "q":
                    hasFilter = true
                    filter = try argument.document()
                case "limit":
                    hasLimit = true
                    isMulti = try Self.isUnlimited(argument)
                case "hint": try argument.checkHint()
                case "collation": try argument.checkCollation()
                case "sampleId": break
                default: throw argument.unknownField()
                }
            }
        }
        guard hasFilter else { throw .missingField("delete.deletes.q") }
        guard hasLimit else { throw .missingField("delete.deletes.limit") }
    }

    private static func isUnlimited(_ argument: Argument) throws(CommandError) -> Bool {
        switch try argument.integer() {
        case 0: return true
        case 1: return false
        case let limit:
            throw CommandError(
                .failedToParse, "The limit field in delete objects must be 0 or 1. Got \(limit)")
        }
    }
}

extension CommandTable {
    @Sendable static func delete(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try request.namespace()
        let (list, isOrdered) = try writeStatements("delete", "deletes", request)
        var statements: [DeleteStatement] = []
        for document in list { statements.append(try DeleteStatement(document)) }

        let deadline = Deadline(maxTimeMilliseconds: request.shared.maxTimeMilliseconds)
        var errors = WriteErrors(isOrdered: isOrdered)
        var removed: Int64 = 0
        for (index, statement) in statements.enumerated() where !errors.mustStop {
            context.server.counters.countDelete()
            do throws(CommandError) {
                removed += try await run(statement, on: namespace, deadline, context)
            } catch {
                errors.add(error, at: index)
            }
        }
        _ = context.server.clock.tick()
        return CommandReply { builder in
            builder.append("n", int32: Int32(truncatingIfNeeded: removed))
            errors.write(into: &builder)
            request.shared.writeUnsatisfiedConcern(into: &builder)
        }
    }

    private static func run(
        _ statement: DeleteStatement, on namespace: Namespace, _ deadline: Deadline, _ context: CommandContext
    ) async throws(CommandError) -> Int64 {
        let engine = context.engine
        let operation = DocumentOperation(
            on: namespace, filter: try Filter(compiling: statement.filter), action: .delete)
        return try await engine.withCollection(namespace) { collection async throws(StorageError) in
            if statement.isMulti {
                return try await engine.modifyMany(operation, in: collection, deadline: deadline).matched
            }
            return try await engine.modifyOne(operation, in: collection, deadline: deadline).matched ? 1 : 0
        } ?? 0
    }
}
