internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/delete/

/// One element of `deletes`.
struct DeleteStatement {
    var filter = Document.empty
    var isMulti = false
    var hint = Hint.none
    var collation = CollationChoice.inherited
    /// `let` of the command.
    var variables: Document?

    init() {}

    init(_ document: Document) throws(CommandError) {
        var hasFilter = false
        var hasLimit = false
        try document.withRaw { raw throws(CommandError) in
            for field in raw {
                let argument = Argument(command: "delete.deletes", key: field.key, value: field.value)
                switch field.key {
                case "q":
                    guard let document = try argument.ifPresent(Argument.document) else { continue }
                    (filter, hasFilter) = (document, true)
                case "limit":
                    guard let isUnlimited = try argument.ifPresent(Argument.isUnlimited) else { continue }
                    (isMulti, hasLimit) = (isUnlimited, true)
                case "hint": hint = try argument.hint()
                case "collation": collation = try argument.collationChoice()
                case "sampleId": _ = try argument.ifPresent(Argument.uuid)
                default: throw argument.unknownField()
                }
            }
        }
        guard hasFilter else { throw .missingField("delete.deletes.q") }
        guard hasLimit else { throw .missingField("delete.deletes.limit") }
    }

    func operation(
        on namespace: Namespace, _ environment: ExpressionEnvironment
    ) throws(CommandError) -> DocumentOperation {
        let environment = try environment.redefining(variables)
        return DocumentOperation(
            on: namespace,
            filter: try Filter(compiling: filter, environment: environment, allowing: .query),
            action: .delete)
    }
}

extension Argument {
    fileprivate func isUnlimited() throws(CommandError) -> Bool {
        switch try integer() {
        case 0: return true
        case 1: return false
        case let limit:
            throw CommandError(.failedToParse, "The limit field in delete objects must be 0 or 1. Got \(limit)")
        }
    }
}

extension CommandTable {
    @Sendable static func delete(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try request.namespace()
        let arguments = try writeStatements("delete", "deletes", request)
        var statements: [DeleteStatement] = []
        for document in arguments.list {
            var statement = try DeleteStatement(document)
            statement.variables = arguments.variables
            statements.append(statement)
        }
        if statements.contains(where: \.isMulti) { try context.refuseRetryOfMany("limit=0") }

        try await context.engine.checkUUID(arguments.uuid, of: namespace)
        let deadline = context.deadline(of: request)
        let environment = try context.environment(of: request).defining(arguments.variables)
        var errors = WriteErrors(isOrdered: arguments.isOrdered)
        var removed: Int64 = 0
        for (index, statement) in statements.enumerated() where !errors.mustStop {
            context.server.counters.countDelete()
            do throws(CommandError) {
                let number = request.shared.statementNumber(at: index)
                removed += try await run(statement, number, on: namespace, deadline, environment, context)
            } catch {
                try errors.add(error, at: index)
            }
        }
        _ = context.server.clock.tick()
        if request.shared.isUnacknowledged { return CommandReply() }
        var reply = CommandReply { builder in
            builder.append("n", int32: Int32(truncatingIfNeeded: removed))
            errors.write(into: &builder)
            request.shared.writeUnsatisfiedConcern(into: &builder)
        }
        reply.hasWriteErrors = !errors.list.isEmpty
        reply.append(repeatedOf: context.documents)
        return reply
    }

    static func run(
        _ statement: DeleteStatement, _ number: Int32, on namespace: Namespace, _ deadline: Deadline,
        _ environment: ExpressionEnvironment, _ context: CommandContext
    ) async throws(CommandError) -> Int64 {
        let documents = context.documents
        let compiled = try statement.operation(
            on: namespace, environment.collated(by: statement.collation.early))
        let order = try statement.hint.order()
        return try await documents.withCollection(namespace, for: .writing) { collection async throws(StorageError) in
            try statement.hint.check(in: collection)
            let operation = try statement.collation.settled(compiled, in: collection) { collator throws(CommandError) in
                try statement.operation(on: namespace, environment.collated(by: collator))
            }.hinted(statement.hint.index)
            let tally =
                statement.isMulti
                ? try await documents.modifyMany(operation, statement: number, in: collection, deadline: deadline)
                : try await documents.modifyOne(
                    operation, statement: number, in: collection, sort: order, deadline: deadline)
            return tally.matched
        } ?? 0
    }
}
