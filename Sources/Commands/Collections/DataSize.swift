internal import BSON
internal import CommandModel
internal import NIOCore
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/dataSize/

private struct DataSizeArguments {
    private(set) var namespace: Namespace
    private(set) var keyPattern: Document?
    private(set) var min: Document?
    private(set) var max: Document?
    private(set) var isEstimate = false

    init(_ request: CommandRequest) throws(CommandError) {
        let full = try request.withCommandValue(of: "dataSize") { argument throws(CommandError) in
            try argument.requireValue()
            return try argument.string()
        }
        guard let dot = full.firstIndex(of: ".") else {
            throw CommandError(.invalidNamespace, "Invalid namespace specified '\(full)'")
        }
        namespace = try .validated(
            database: String(full[..<dot]), collection: String(full[full.index(after: dot)...]))
        var taken = self
        try request.forEachArgument(of: "dataSize") { argument throws(CommandError) in
            switch argument.key {
            case "estimate": taken.isEstimate = try argument.ifPresent(Argument.lenientBool) ?? false
            case "keyPattern": taken.keyPattern = try argument.ifPresent(Argument.document)
            case "min": taken.min = try argument.ifPresent(Argument.document)
            case "max": taken.max = try argument.ifPresent(Argument.document)
            default: throw argument.unknownField()
            }
        }
        self = taken
        guard (min == nil) == (max == nil) else {
            throw CommandError(.badValue, "either both min and max must be specified, or neither")
        }
        guard min == nil || keyPattern?.isEmpty == false else {
            throw CommandError(.operationFailed, "couldn't find valid index containing key pattern")
        }
    }

    /// The documents between `min` and `max`, as a `find` by that index; nil for all documents.
    func range() throws(CommandError) -> CommandRequest? {
        guard let keyPattern, let min, let max else { return nil }
        let body = Document { builder in
            builder.append("find", string: namespace.collection)
            builder.append("hint", document: keyPattern)
            builder.append("min", document: min)
            builder.append("max", document: max)
            builder.append("$db", string: namespace.database)
        }
        return try CommandRequest(body: body, sequences: [])
    }
}

extension CommandTable {
    @Sendable static func dataSize(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let start = NIODeadline.now()
        let arguments = try DataSizeArguments(request)
        let collection = try await context.documents.collection(arguments.namespace)
        if collection?.view != nil || collection?.timeseries != nil { throw .notSupportedOnView(arguments.namespace) }
        let found = try await size(arguments, request, context)
        return CommandReply { builder in
            builder.append("size", int64: found.bytes)
            builder.append("numObjects", int64: found.documents)
            builder.append("millis", int32: Int32(clamping: (NIODeadline.now() - start).nanoseconds / 1_000_000))
            // The figures are exact in either case.
            builder.append("estimate", bool: arguments.isEstimate)
        }
    }

    private static func size(
        _ arguments: DataSizeArguments, _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> (documents: Int64, bytes: Int64) {
        guard let range = try arguments.range() else {
            let stats = try await context.engine.mapped { () async throws(StorageError) in
                try await context.engine.statistics(of: arguments.namespace)
            }
            return (stats?.documentCount ?? 0, stats?.documentBytes ?? 0)
        }
        let deadline = context.deadline(of: request)
        do throws(CommandError) {
            let compiled = try FindArguments(range).query(context.environment(of: range))
            let found = try await context.engine.withCollection(arguments.namespace) {
                collection async throws(StorageError) in
                var query = compiled
                query.deadline = deadline
                return try await context.engine.measure(query, in: collection)
            }
            return found ?? (0, 0)
        } catch {
            // An end before the beginning: nothing lies between.
            if error.code.number == 51_175 { return (0, 0) }
            if error.code == .badValue || error.code.number == 51_174 {
                throw CommandError(.operationFailed, "couldn't find valid index containing key pattern")
            }
            throw error
        }
    }
}
