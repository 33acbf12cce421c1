internal import BSON
internal import CommandModel
internal import NIOCore
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/bulkWrite/

extension CommandTable {
    @Sendable static func bulkWrite(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let arguments = try BulkWriteArguments(request)
        if arguments.operations.contains(where: \.isMulti) { try context.refuseRetryOfMany("multi=true") }
        var run = try BulkWriteRun(arguments, request, context)
        try await run.runAll()
        _ = context.server.clock.tick()
        let results = run.results.sorted()
        var reply = try listedCursorReply(
            (0..<results.list.count).lazy.map { results.document(at: $0) },
            batchSize: arguments.batchSize, request, context, command: "bulkWrite")
        results.writeTotals(into: &reply.builder)
        request.shared.writeUnsatisfiedConcern(into: &reply.builder)
        reply.hasWriteErrors = results.hasErrors
        reply.append(repeatedOf: context.documents)
        return reply
    }
}

/// Runs the operations in their order.
private struct BulkWriteRun {
    private(set) var results: BulkWriteResults
    private let arguments: BulkWriteArguments
    private let deadline: Deadline
    private let environment: ExpressionEnvironment
    private let context: CommandContext
    private let request: CommandRequest

    init(
        _ arguments: BulkWriteArguments, _ request: CommandRequest, _ context: CommandContext
    ) throws(CommandError) {
        self.arguments = arguments
        self.request = request
        self.context = context.bypassingValidation(arguments.bypassesValidation)
        deadline = context.deadline(of: request)
        environment = try context.environment(of: request).defining(arguments.variables)
        results = BulkWriteResults(isOrdered: arguments.isOrdered, errorsOnly: arguments.errorsOnly)
    }

    mutating func runAll() async throws(CommandError) {
        var position = 0
        while position < arguments.operations.count, !results.mustStop {
            if case .insert = arguments.operations[position].action {
                let end = endOfInserts(from: position)
                try await insert(position..<end)
                position = end
            } else {
                try await modify(at: position)
                position += 1
            }
        }
    }

    /// Consecutive inserts into one collection travel as one batch.
    private func endOfInserts(from start: Int) -> Int {
        let target = arguments.operations[start].target
        var end = start + 1
        while end < arguments.operations.count, arguments.operations[end].target == target,
            case .insert = arguments.operations[end].action
        {
            end += 1
        }
        return end
    }

    private mutating func insert(_ range: Range<Int>) async throws(CommandError) {
        let target = arguments.namespaces[arguments.operations[range.lowerBound].target]
        var documents: [Document] = []
        var positions: [Int] = []
        var refused: (index: Int, error: CommandError)?
        for index in range {
            guard case .insert(let document) = arguments.operations[index].action else { continue }
            do throws(CommandError) {
                documents.append(try prepared(document))
                positions.append(index)
            } catch {
                // Whatever stands before it is stored first, and may fail itself.
                refused = (index, error)
                if arguments.isOrdered { break }
                try results.addError(error, at: index)
            }
        }
        context.server.counters.countInserts(range.count)
        try await store(documents, positions, in: target)
        if arguments.isOrdered, let refused, !results.mustStop {
            try results.addError(refused.error, at: refused.index)
        }
    }

    private func prepared(_ document: Document) throws(CommandError) -> Document {
        guard document.count <= ServerLimits.documentBytesMax else {
            throw CommandError(
                .bsonObjectTooLarge,
                "object to insert too large. size in bytes: \(document.count), "
                    + "max size: \(ServerLimits.documentBytesMax)")
        }
        return try StoredDocument.prepare(
            document, context.server, keepsEmptyTimestamps: arguments.keepsEmptyTimestamps)
    }

    private mutating func store(
        _ documents: [Document], _ positions: [Int], in target: BulkWriteNamespace
    ) async throws(CommandError) {
        do throws(CommandError) {
            try await context.engine.checkUUID(target.uuid, of: target.namespace)
            let numbers = positions.map { request.shared.statementNumber(at: $0) }
            let errors = try await CommandTable.store(
                documents, numbers, in: target.namespace, isOrdered: arguments.isOrdered, context)
            var failures = errors[...]
            for (index, position) in positions.enumerated() {
                if let failure = failures.first, failure.index == index {
                    try results.addError(failure.error, at: position)
                    if results.mustStop { return }
                    failures.removeFirst()
                } else {
                    results.addInsert(at: position)
                }
            }
        } catch {
            for position in positions where !results.mustStop { try results.addError(error, at: position) }
        }
    }

    private mutating func modify(at index: Int) async throws(CommandError) {
        let operation = arguments.operations[index]
        let target = arguments.namespaces[operation.target]
        let number = request.shared.statementNumber(at: index)
        var isUpdate = false
        // The operations happen one after the other, and name the times at which they do.
        var environment = environment
        environment.clusterTime = context.server.clock.tick()
        do throws(CommandError) {
            if case .update = operation.action { isUpdate = true }
            if let refusal = operation.refusal { try await check(refusal, target.namespace) }
            try await context.engine.checkUUID(target.uuid, of: target.namespace)
            switch operation.action {
            case .insert: return
            case .update(var statement):
                statement.keepsEmptyTimestamps = arguments.keepsEmptyTimestamps
                statement.variables = arguments.variables
                context.server.counters.countUpdate()
                let tally = try await CommandTable.run(
                    statement, number, on: target.namespace, deadline, environment, context)
                results.addUpdate(tally, at: index)
            case .delete(var statement):
                statement.variables = arguments.variables
                context.server.counters.countDelete()
                let removed = try await CommandTable.run(
                    statement, number, on: target.namespace, deadline, environment, context)
                results.addDelete(removed, at: index)
            }
        } catch {
            try results.addError(error, at: index, isUpdate: isUpdate)
        }
    }

    private func check(
        _ refusal: BulkWriteOperation.Refusal, _ namespace: Namespace
    ) async throws(CommandError) {
        guard refusal.needsCollection else { throw refusal.error }
        let collection = try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.catalog.collection(namespace)
        }
        if collection != nil { throw refusal.error }
    }
}
