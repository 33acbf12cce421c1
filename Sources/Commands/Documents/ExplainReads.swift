internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// Commands that read no documents, but something about them.
extension CommandTable {
    static func explainCount(
        _ inner: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try inner.namespace()
        let arguments = try CountArguments(inner)
        let compile = { (collator: Collator?) throws(CommandError) -> FindQuery in
            try arguments.query(collator, inner, context)
        }
        let early = try compile(arguments.collation.early)
        let collection = try await explained(namespace, context)
        if collection?.view != nil {
            let view = try await viewTarget(namespace, arguments.collation, context)
            try await check(arguments.hint, in: view, context)
            let query = try compile(view.collator)
            let source = try await context.engine.mapped { () async throws(StorageError) in
                try view.countSource(query, context.environment(of: inner), context)
            }
            let stages = view.stages + inner.queryStages + [ViewTarget.counting]
            return try await reply(Explanation(of: source, on: view, namespace, stages), inner.body, context)
        }
        var explanation = Explanation(namespace: namespace, collection: collection, action: "COUNT")
        explanation.query = try await settled(early, arguments.collation, arguments.hint, collection, context, compile)
        return try await reply(explanation, inner.body, context)
    }

    static func explainDistinct(
        _ inner: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try inner.namespace()
        let arguments = try DistinctArguments(inner)
        let compile = { (collator: Collator?) throws(CommandError) -> FindQuery in
            try arguments.query(collator, inner, context).asking(
                for: DistinctCollector(path: arguments.key, order: ValueOrder(collator)))
        }
        let early = try compile(arguments.collation.early)
        let collection = try await explained(namespace, context)
        if collection?.view != nil {
            let view = try await viewTarget(namespace, arguments.collation, context)
            try await check(arguments.hint, in: view, context)
            let query = try arguments.query(view.collator, inner, context)
            let source = try await context.engine.mapped { () async throws(StorageError) in
                let stages = try StorageError.of { () throws(CommandError) in try query.stages() }
                return try view.source(stages, like: query, context.environment(of: inner), context)
            }
            let explanation = Explanation(of: source, on: view, namespace, view.stages + inner.queryStages)
            return try await reply(explanation, inner.body, context)
        }
        var explanation = Explanation(namespace: namespace, collection: collection)
        explanation.query = try await settled(early, arguments.collation, arguments.hint, collection, context, compile)
        return try await reply(explanation, inner.body, context)
    }

    /// The query as it is where it is run: with the collation of its collection, and a hint that can be followed.
    private static func settled(
        _ compiled: FindQuery, _ collation: CollationChoice, _ hint: Hint, _ collection: Collection?,
        _ context: CommandContext, _ compile: (Collator?) throws(CommandError) -> FindQuery
    ) async throws(CommandError) -> FindQuery {
        try await context.engine.mapped { () async throws(StorageError) in
            guard let collection else { return compiled }
            try hint.check(in: collection)
            return try collation.settled(compiled, in: collection, compile)
        }
    }
}
