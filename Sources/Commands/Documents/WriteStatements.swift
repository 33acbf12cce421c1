internal import BSON
internal import CommandModel

extension CommandTable {
    /// The statements of `update` or `delete`, from the body or from a document sequence, and `ordered`.
    static func writeStatements(
        _ command: StaticString, _ field: StaticString, _ request: CommandRequest
    ) throws(CommandError) -> (statements: [Document], isOrdered: Bool) {
        var statements = request.sequence("\(field)")
        var isOrdered = true
        try request.forEachArgument(of: command) { argument throws(CommandError) in
            if argument.key == field {
                statements = try argument.documents()
                return
            }
            switch argument.key {
            case "ordered": isOrdered = try argument.bool()
            case "let": _ = try argument.document()
            case "bypassDocumentValidation": _ = try argument.lenientBool()
            case "isTimeseriesNamespace", "collectionUUID", "encryptionInformation", "bypassEmptyTsReplacement": break
            default: throw argument.unknownField()
            }
        }
        guard let statements else { throw .missingField("\(command).\(field)") }
        try checkWriteBatchSize(statements.count)
        return (statements, isOrdered)
    }
}

extension Argument {
    /// Only the index on `_id` exists, so a hint can name nothing else.
    func checkHint() throws(CommandError) {
        if let name = value.string {
            guard name == "_id_" else { throw hintNotFound }
        } else if let pattern = value.document {
            for field in pattern where !(field.key == "_id" || field.key == "$natural") { throw hintNotFound }
        } else {
            throw CommandError(.failedToParse, "Hint must be a string or an object")
        }
    }

    private var hintNotFound: CommandError {
        CommandError(
            .badValue,
            "error processing query: planner returned error :: caused by :: hint provided does not correspond to "
                + "an existing index"
        )
    }

    /// Only the simple collation, which compares bytes, is known.
    func checkCollation() throws(CommandError) {
        guard let collation = value.document else { throw wrongType(expected: "object") }
        if collation.isEmpty { return }
        guard let locale = collation["locale"] else { throw .missingField("collation.locale") }
        guard let name = locale.string else {
            throw CommandError.wrongType("collation.locale", locale, expected: "string")
        }
        guard name == "simple" else {
            throw CommandError(.notImplemented, "collations other than {locale: \"simple\"} are not supported yet")
        }
    }
}
