internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/compact/

extension CommandTable {
    @Sendable static func compact(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try request.namespace()
        let arguments = try CompactArguments(request)
        let deadline = context.deadline(of: request)
        let freed = try await context.engine.withCollection(namespace) { collection async throws(StorageError) in
            let reclaimable = try await context.engine.reclaimableBytes(of: collection)
            guard !arguments.isDryRun else { return reclaimable }
            // Not worth the reading of the whole table.
            guard reclaimable >= arguments.targetBytes else { return 0 }
            return try await context.engine.compact(collection, deadline: deadline)
        }
        guard let freed else { throw CommandError(.namespaceNotFound, "ns does not exist: \(namespace)") }
        return CommandReply { builder in
            builder.append(arguments.isDryRun ? "estimatedBytesFreed" : "bytesFreed", .smallest(freed))
        }
    }
}

private struct CompactArguments {
    private(set) var isDryRun = false
    private var isForced = false
    private var target: Int64 = 20

    var targetBytes: Int64 { target.multipliedReportingOverflow(by: 1 << 20).overflow ? .max : target << 20 }

    init(_ request: CommandRequest) throws(CommandError) {
        var taken = self
        try request.forEachArgument(of: "compact") { argument throws(CommandError) in
            switch argument.key {
            case "dryRun": taken.isDryRun = try argument.ifPresent(Argument.lenientBool) ?? false
            case "force": taken.isForced = try argument.ifPresent(Argument.lenientBool) ?? false
            case "freeSpaceTargetMB": taken.target = try argument.ifPresent(Argument.megabytes) ?? taken.target
            default: throw argument.unknownField()
            }
        }
        self = taken
        // A rehearsal does no work that could be in the way of other clients.
        guard isForced || isDryRun else {
            throw CommandError(
                .illegalOperation,
                "will not run compact on an active replica set primary as this will slow down other running "
                    + "operations. use force:true to force")
        }
    }
}

extension Argument {
    fileprivate func megabytes() throws(CommandError) -> Int64 {
        let number = try integer()
        guard number >= 1 else {
            throw CommandError(
                .badValue, "BSON field '\(key.string)' value must be >= 1, actual value '\(number)'")
        }
        return number
    }
}
