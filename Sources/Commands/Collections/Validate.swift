internal import BSON
internal import CommandModel
internal import NIOCore
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/validate/

/// Switches take values of any type; fields that it does not know do not matter to it.
private struct ValidateArguments {
    private(set) var isMetadataOnly = false
    private(set) var repairs = false
    private(set) var adjustsMultikey = false

    init(_ request: CommandRequest) throws(CommandError) {
        var taken = self
        var named: Set<String> = []
        try request.forEachArgument(of: "validate") { argument throws(CommandError) in
            guard argument.value.isOn else { return }
            switch argument.key {
            case "metadata": taken.isMetadataOnly = true
            case "repair": taken.repairs = true
            case "fixMultikey": taken.adjustsMultikey = true
            // `scandata` is what `full` was called before. Each validation is a full one, and in the background.
            case "full", "scandata", "background", "checkBSONConformance": break
            default: return
            }
            named.insert(argument.key.string)
        }
        for (first, second) in Self.excluded where named.contains(first) && named.contains(second) {
            throw CommandError(
                .invalidOptions,
                "Running validate with both { \(first): true } and { \(second): true } is not supported.")
        }
        self = taken
    }

    private static let excluded = [
        ("metadata", "full"), ("metadata", "repair"), ("metadata", "checkBSONConformance"), ("metadata", "background"),
        ("checkBSONConformance", "repair"), ("background", "full"), ("background", "repair"),
    ]

    var repairMode: String { repairs ? "FixErrors" : adjustsMultikey ? "AdjustMultikey" : "None" }
}

extension CommandTable {
    @Sendable static func validate(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace: Namespace
        do throws(CommandError) { namespace = try request.namespace() } catch {
            guard request.collectionName?.hasPrefix("$") == true else { throw error }
            throw CommandError(.namespaceNotFound, "Collection '\(request.database).$…' does not exist to validate.")
        }
        let arguments = try ValidateArguments(request)
        let found = try await context.engine.withCollection(namespace) { collection async throws(StorageError) in
            let report =
                arguments.isMetadataOnly
                ? nil : try await context.engine.validate(collection, deadline: context.deadline(of: request))
            return (collection, report)
        }
        guard let (collection, report) = found else {
            throw CommandError(.namespaceNotFound, "Collection '\(namespace)' does not exist to validate.")
        }
        if let count = report?.invalidCount, count > 0, arguments.repairs {
            throw CommandError(
                .commandNotSupported,
                "\(count) documents of \(namespace) are invalid, and cannot be repaired: restore them")
        }
        return CommandReply { builder in
            builder.append("ns", string: namespace.description)
            builder.append("uuid", binary: collection.uuid, subtype: 4)
            if let report {
                builder.append("nInvalidDocuments", .smallest(report.invalidCount))
                builder.append("nNonCompliantDocuments", int32: 0)
                builder.append("nrecords", .smallest(report.documentCount))
            }
            writeIndexes(of: collection, report, &builder)
            builder.append("valid", bool: report?.invalidCount ?? 0 == 0)
            builder.append("repaired", bool: false)
            builder.append("repairMode", string: arguments.repairMode)
            for list in ["warnings", "errors", "extraIndexEntries", "missingIndexEntries", "corruptRecords"]
                as [StaticString]
            {
                builder.beginArray(list)
                builder.end()
            }
        }
    }

    private static func writeIndexes(
        of collection: Collection, _ report: ValidationReport?, _ builder: inout DocumentBuilder
    ) {
        let indexes = collection.listedIndexes.map { ($0.withRaw { $0["name"]?.string } ?? "", $0) }
        builder.append("nIndexes", int32: Int32(clamping: indexes.count))
        builder.beginDocument("keysPerIndex")
        if let report {
            if collection.ownIndex != nil, let own = indexes.first {
                builder.append(name: own.0, .smallest(report.documentCount))
            }
            for index in report.keyCounts { builder.append(name: index.name, .smallest(index.count)) }
        }
        builder.end()
        builder.beginDocument("indexDetails")
        for (name, specification) in indexes {
            builder.beginDocument(name: name)
            builder.append("valid", bool: true)
            builder.append("spec", document: specification)
            builder.end()
        }
        builder.end()
    }
}
