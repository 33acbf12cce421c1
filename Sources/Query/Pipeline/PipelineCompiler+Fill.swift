internal import BSON
internal import CommandModel

// `$fill: {partitionBy:, partitionByFields:, sortBy:, output: {field: {value:} or {method:}}}`, which is a
// `$setWindowFields` for the methods and an `$addFields` for the values.
extension PipelineCompiler {
    func fillStages(_ value: RawValue) throws(CommandError) -> [Stage] {
        guard let document = value.document else {
            throw CommandError(
                .failedToParse, "the $fill stage specification must be an object, found \(value.type.alias)")
        }
        let syntax = try FillSyntax(document)
        var stages: [Stage] = []
        if let window = syntax.windowFields {
            try window.withRaw { raw throws(CommandError) in
                let fields = try WindowFields(
                    compiling: RawValue(type: .document, bytes: raw.bytes), in: environment, collator)
                stages.append(.windowFields(fields))
            }
        }
        if let added = syntax.addedFields {
            try added.withRaw { raw throws(CommandError) in
                stages.append(.projection(try Projection(addingFields: raw, environment: environment)))
            }
        }
        return stages
    }
}

private struct FillSyntax {
    private var partitionBy: Value?
    private var sortBy: RawValue?
    private var methods = DocumentBuilder()
    private var values = DocumentBuilder()
    private(set) var windowFields: Document?
    private(set) var addedFields: Document?

    init(_ document: RawDocument) throws(CommandError) {
        var output: RawDocument?
        for field in document {
            switch field.key {
            case "partitionBy", "partitionByFields":
                guard partitionBy == nil else {
                    throw CommandError(
                        ErrorCode(6_050_204),
                        "Maximum one of 'partitionBy' and 'partitionByFields' can be specified "
                            + "in '$fill'")
                }
                partitionBy = field.key == "partitionBy" ? try Self.checked(field) : try Self.partition(field.value)
            case "sortBy":
                guard field.value.type == .document else { throw Self.wrongType(field, "object") }
                sortBy = field.value
            case "output":
                guard let fields = field.value.document else { throw Self.wrongType(field, "object") }
                output = fields
            default:
                throw CommandError(.idlFailedToParse, "BSON field '$fill.\(field.key.string)' is an unknown field.")
            }
        }
        guard let output else {
            throw CommandError(.idlMissingField, "BSON field '$fill.output' is missing but a required field")
        }
        guard !output.isEmpty else {
            throw CommandError(ErrorCode(6_050_203), "$fill must have at least one field in 'output'")
        }
        try take(output)
    }

    private static func checked(_ field: RawElement) throws(CommandError) -> Value {
        let isPath = field.value.type == .string && field.value.stringBytes?.first == UInt8(ascii: "$")
        guard isPath || field.value.type == .document else {
            throw wrongType(field, "object or field path")
        }
        return Value(copying: field.value)
    }

    /// A document of the fields' values.
    private static func partition(_ value: RawValue) throws(CommandError) -> Value {
        guard let array = value.array else {
            throw CommandError(
                .typeMismatch,
                "BSON field '$fill.partitionByFields' is the wrong type '\(value.type.alias)', "
                    + "expected type 'array'")
        }
        var values = DocumentBuilder()
        var index = 0
        for name in array {
            guard name.value.type == .string, let text = name.value.string else {
                throw CommandError(.typeMismatch, "'$fill.partitionByFields' must be an array of strings")
            }
            guard !text.hasPrefix("$") else {
                throw CommandError(ErrorCode(6_050_205), "field names in 'partitionByFields' must not begin with '$'")
            }
            values.append(index: index, string: "$" + text)
            index += 1
        }
        return .array(values.finish())
    }

    private static func wrongType(_ field: RawElement, _ expected: String) -> CommandError {
        CommandError(
            .typeMismatch,
            "BSON field '$fill.\(field.key.string)' is the wrong type '\(field.value.type.alias)', "
                + "expected type '\(expected)'")
    }

    private mutating func take(_ output: RawDocument) throws(CommandError) {
        var (methodCount, valueCount) = (0, 0)
        for field in output {
            guard let filling = field.value.document, filling.elementCount == 1, let part = filling.firstElement else {
                throw CommandError(
                    ErrorCode(6_050_200), "a field in $fill 'output' must have either a 'method' or a 'value'")
            }
            switch part.key {
            case "method":
                try takeMethod(part.value, field.key)
                methodCount += 1
            case "value":
                let operands = Document {
                    $0.append(index: 0, string: "$" + field.key.string)
                    $0.append(index: 1, part.value)
                }
                values.append(field.key, .document(Document { $0.append("$ifNull", .array(operands)) }))
                valueCount += 1
            default:
                throw CommandError(
                    .idlFailedToParse, "BSON field '$fill.output.\(part.key.string)' is an unknown field.")
            }
        }
        if valueCount > 0 { addedFields = values.finish() }
        if methodCount > 0 { windowFields = makeWindowFields(methods.finish()) }
    }

    private mutating func takeMethod(_ value: RawValue, _ key: RawKey) throws(CommandError) {
        let path = Value.string("$" + key.string)
        switch value.string {
        case "locf": methods.append(key, .document(Document { $0.append("$locf", path) }))
        case "linear": methods.append(key, .document(Document { $0.append("$linearFill", path) }))
        default: throw CommandError(ErrorCode(6_050_202), "Method must be either locf or linear")
        }
    }

    private func makeWindowFields(_ output: Document) -> Document {
        Document { stage in
            if let partitionBy, partitionBy.type == .array {
                // As an element of a document: a partition must not be an array.
                stage.append("partitionBy", document: Document { $0.append("fields", partitionBy) })
            } else if let partitionBy {
                stage.append("partitionBy", partitionBy)
            }
            if let sortBy { stage.append("sortBy", sortBy) }
            stage.append("output", document: output)
        }
    }
}
