internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/create/

extension CommandTable {
    @Sendable static func create(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let arguments = try CreateArguments(request)
        try arguments.checkTogether(now: Int64(context.server.now))
        let options = arguments.options
        try checkInTransaction(arguments, context)
        let (collection, isNew) = try await context.documents.collectionOrCreate(arguments.namespace, options: options)
        // An existing collection with the same options is no error since MongoDB 7.0, but in a transaction.
        let isInTransaction = context.documents.transaction != nil
        guard collection.options == options, isNew || !isInTransaction else {
            throw .namespaceExists(arguments.namespace)
        }
        return CommandReply { request.shared.writeUnsatisfiedConcern(into: &$0) }
    }

    private static func checkInTransaction(
        _ arguments: CreateArguments, _ context: CommandContext
    ) throws(CommandError) {
        guard context.documents.transaction != nil else { return }
        let kind: StaticString
        switch arguments {
        case _ where arguments.viewOn != nil: kind = "a view"
        case _ where arguments.timeseries != nil: kind = "a time series"
        default: return
        }
        throw CommandError(
            .operationNotSupportedInTransaction, "Cannot create \(kind) in a multi-document transaction")
    }
}

extension CommandError {
    fileprivate static func namespaceExists(_ namespace: Namespace) -> CommandError {
        CommandError(.namespaceExists, "a collection \(namespace) already exists")
    }
}
