internal import BSON
internal import CommandModel
internal import Storage

/// What `bulkWrite` was asked to do.
///
/// Source: specifications/source/crud/bulk-write.md
struct BulkWriteArguments {
    var operations: [BulkWriteOperation] = []
    var namespaces: [BulkWriteNamespace] = []
    var isOrdered = true
    /// Only errors stand in the reply, not the result of each operation.
    var errorsOnly = false
    /// `let`.
    var variables: Document?
    /// The documents need not fulfil what their collection demands.
    var bypassesValidation = false
    /// nil means as many results as fit into a reply.
    var batchSize: Int?
    /// A top-level Timestamp(0, 0) of an inserted document or a replacement stays as it is.
    var keepsEmptyTimestamps = false

    init(_ request: CommandRequest) throws(CommandError) {
        var statements = request.sequence("ops")
        var targets = request.sequence("nsInfo")
        try request.forEachArgument(of: "bulkWrite") { argument throws(CommandError) in
            switch argument.key {
            case "ops": statements = try argument.ifPresent(Argument.documents)
            case "nsInfo": targets = try argument.ifPresent(Argument.documents)
            default: try take(argument)
            }
        }
        guard let statements else { throw .missingField("bulkWrite.ops") }
        guard let targets else { throw .missingField("bulkWrite.nsInfo") }
        try checkWriteBatchSize(statements.count)
        for target in targets { namespaces.append(try BulkWriteNamespace(target)) }
        operations.reserveCapacity(statements.count)
        for statement in statements {
            operations.append(try BulkWriteOperation(statement, namespaceCount: namespaces.count))
        }
    }

    private mutating func take(_ argument: Argument) throws(CommandError) {
        switch argument.key {
        case "ordered": isOrdered = try argument.ifPresent(Argument.bool) ?? true
        case "errorsOnly": errorsOnly = try argument.ifPresent(Argument.bool) ?? false
        case "bypassDocumentValidation": bypassesValidation = try argument.ifPresent(Argument.lenientBool) ?? false
        // The variables are for expressions: a filter or an update that holds one is refused where it is compiled.
        case "let": variables = try argument.ifPresent(Argument.document)
        case "cursor": batchSize = try argument.ifPresent(Argument.cursorBatchSize) ?? nil
        case "bypassEmptyTsReplacement": keepsEmptyTimestamps = try argument.ifPresent(Argument.bool) ?? false
        default: throw argument.unknownField()
        }
    }
}

/// One element of `nsInfo`.
struct BulkWriteNamespace {
    var namespace: Namespace
    /// The collection must have this one.
    var uuid: [UInt8]?

    init(_ document: Document) throws(CommandError) {
        var name: String?
        var uuid: [UInt8]?
        try document.withRaw { raw throws(CommandError) in
            for field in raw {
                let argument = Argument(command: "bulkWrite.nsInfo", key: field.key, value: field.value)
                switch field.key {
                case "ns": name = try argument.ifPresent(Argument.string)
                case "collectionUUID": uuid = try argument.ifPresent(Argument.uuid)
                case "encryptionInformation":
                    guard argument.isOmitted else { throw argument.notSupportedYet("bulkWrite") }
                case "isTimeseriesNamespace": _ = try argument.ifPresent(Argument.bool)
                default: throw argument.unknownField()
                }
            }
        }
        guard let name else { throw .missingField("bulkWrite.nsInfo.ns") }
        namespace = try Namespace(validating: name)
        self.uuid = uuid
    }
}
