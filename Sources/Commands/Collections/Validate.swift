internal import BSON
internal import CommandModel
internal import NIOCore
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/validate/

extension CommandTable {
    @Sendable static func validate(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try request.namespace()
        try request.forEachArgument(of: "validate") { argument throws(CommandError) in
            switch argument.key {
            // `scandata` is what `full` was called before.
            case "full", "scandata", "background", "checkBSONConformance", "metadata": _ = try argument.lenientBool()
            case "repair":
                guard try !argument.lenientBool() else { throw argument.notSupportedYet("validate") }
            default: throw argument.unknownField()
            }
        }
        let report = try await context.engine.withCollection(namespace) { collection async throws(StorageError) in
            try await context.engine.validate(collection, deadline: context.deadline(of: request))
        }
        guard let report else {
            throw CommandError(.namespaceNotFound, "Collection '\(namespace)' does not exist to validate.")
        }
        return CommandReply { builder in
            builder.append("ns", string: namespace.description)
            builder.append("uuid", binary: report.uuid, subtype: 4)
            builder.append("nInvalidDocuments", int64: report.invalidCount)
            builder.append("nNonCompliantDocuments", int64: 0)
            builder.append("nrecords", int64: report.documentCount)
            writeIndexes(of: report, &builder)
            builder.append("valid", bool: report.invalidCount == 0)
            builder.append("repaired", bool: false)
            for list in ["warnings", "errors", "extraIndexEntries", "missingIndexEntries", "corruptRecords"]
                as [StaticString]
            {
                builder.beginArray(list)
                builder.end()
            }
        }
    }

    private static func writeIndexes(of report: ValidationReport, _ builder: inout DocumentBuilder) {
        builder.append("nIndexes", int32: Int32(clamping: report.keyCounts.count + 1))
        builder.beginDocument("keysPerIndex")
        builder.append("_id_", int64: report.documentCount)
        for index in report.keyCounts { builder.append(name: index.name, .int64(index.count)) }
        builder.end()
        builder.beginDocument("indexDetails")
        for name in ["_id_"] + report.keyCounts.map(\.name) {
            builder.beginDocument(name: name)
            builder.append("valid", bool: true)
            builder.end()
        }
        builder.end()
    }
}
