internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// How a write would find its documents; nothing is written.
extension CommandTable {
    static func explainUpdate(
        _ inner: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let arguments = try writeStatements("update", "updates", inner)
        var statement = try UpdateStatement(try arguments.only())
        statement.variables = arguments.variables
        let environment = try context.environment(of: inner).defining(arguments.variables)
        let namespace = try inner.namespace()
        let limit = statement.isMulti ? nil : 1
        return try await explain("UPDATE", on: namespace, statement.collation, statement.hint, limit, inner, context) {
            collator throws(CommandError) in
            let (operation, sort) = try statement.operation(
                on: namespace, context.server, environment.collated(by: collator))
            return (operation.filter, sort)
        }
    }

    static func explainFindAndModify(
        _ inner: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try inner.namespace()
        let arguments = try FindAndModifyArguments(inner)
        let environment = context.environment(of: inner)
        let action = arguments.removes ? "DELETE" : "UPDATE"
        return try await explain(action, on: namespace, arguments.collation, arguments.hint, 1, inner, context) {
            collator throws(CommandError) in
            let compiled = try arguments.compiled(on: namespace, context.server, environment.collated(by: collator))
            return (compiled.operation.filter, try compiled.sort.get())
        }
    }

    static func explainDelete(
        _ inner: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let arguments = try writeStatements("delete", "deletes", inner)
        var statement = try DeleteStatement(try arguments.only())
        statement.variables = arguments.variables
        let environment = try context.environment(of: inner).defining(arguments.variables)
        let namespace = try inner.namespace()
        let limit = statement.isMulti ? nil : 1
        return try await explain("DELETE", on: namespace, statement.collation, statement.hint, limit, inner, context) {
            collator throws(CommandError) in
            (try statement.operation(on: namespace, environment.collated(by: collator)).filter, nil)
        }
    }

    /// - Parameters:
    ///   - limit: how many documents it changes at most.
    ///   - compile: the filter and the sort of the statement.
    private static func explain(
        _ action: String, on namespace: Namespace, _ collation: CollationChoice, _ hint: Hint, _ limit: Int?,
        _ inner: CommandRequest, _ context: CommandContext,
        _ compile: (Collator?) throws(CommandError) -> (Filter, SortPattern?)
    ) async throws(CommandError) -> CommandReply {
        let compiled = try compile(collation.early)
        let hinted = try hint.order()
        let collection = try await explained(namespace, context)
        var explanation = Explanation(namespace: namespace, collection: collection, action: action)
        let (filter, sort) = try await context.engine.mapped { () async throws(StorageError) in
            guard let collection else { return compiled }
            try hint.check(in: collection)
            return try collation.settled(compiled, in: collection, compile)
        }
        var query = FindQuery(filter: filter)
        query.sort = sort ?? hinted
        query.limit = limit
        hint.apply(to: &query)
        explanation.query = query
        return try await reply(explanation, inner.body, context)
    }
}

extension WriteStatements {
    /// The statement to be explained.
    fileprivate func only() throws(CommandError) -> Document {
        guard list.count == 1, let statement = list.first else {
            throw CommandError(.invalidLength, "explained write batches must be of size 1")
        }
        return statement
    }
}
