internal import BSON
internal import CommandModel
internal import Query

extension CommandTable {
    /// What `insert`, `update` and `delete` have in common.
    static func writeStatements(
        _ command: StaticString, _ field: StaticString, _ request: CommandRequest
    ) throws(CommandError) -> WriteStatements {
        var list = request.sequence("\(field)")
        var found = WriteStatements()
        try request.forEachArgument(of: command) { argument throws(CommandError) in
            if argument.key == field {
                guard list == nil else { throw argument.duplicateOfSequence() }
                list = try argument.ifPresent(Argument.documents)
                return
            }
            try found.take(argument, of: command)
        }
        guard let list else { throw .missingField("\(command).\(field)") }
        try checkWriteBatchSize(list.count)
        found.list = list
        return found
    }
}

struct WriteStatements {
    /// From the body or from a document sequence.
    var list: [Document] = []
    var isOrdered = true
    var uuid: [UInt8]?
    /// `let`.
    var variables: Document?
    /// The documents need not fulfil what the collection demands.
    var bypassesValidation = false
    /// A top-level Timestamp(0, 0) of an inserted document stays as it is.
    var keepsEmptyTimestamps = false

    fileprivate mutating func take(_ argument: Argument, of command: StaticString) throws(CommandError) {
        switch argument.key {
        case "ordered": isOrdered = try argument.ifPresent(Argument.bool) ?? true
        case "bypassDocumentValidation": bypassesValidation = try argument.ifPresent(Argument.lenientBool) ?? false
        case "collectionUUID": uuid = try argument.ifPresent(Argument.uuid)
        case "isTimeseriesNamespace": try argument.refuseIfSet(command)
        case "encryptionInformation": try argument.refuseUnlessEmpty(command)
        case "bypassEmptyTsReplacement": keepsEmptyTimestamps = try argument.ifPresent(Argument.bool) ?? false
        case "let" where Self.takesVariables(command): variables = try argument.ifPresent(Argument.document)
        default: throw argument.unknownField()
        }
    }

    private static func takesVariables(_ command: StaticString) -> Bool {
        "\(command)" != "insert"
    }
}

extension Argument {
    /// Documents come in the body or beside it, not both.
    fileprivate func duplicateOfSequence() -> CommandError {
        CommandError(.idlDuplicateField, "BSON field '\(name)' is a duplicate field")
    }
}

extension ExpressionEnvironment {
    /// The same with the command's `let` computed by the collation of one of its statements.
    func redefining(_ variables: Document?) throws(CommandError) -> ExpressionEnvironment {
        guard let variables, collator != nil else { return self }
        var environment = self
        environment.variables = []
        return try environment.defining(variables)
    }
}
