internal import BSON
internal import CommandModel

// `$bucket: {groupBy:, boundaries:, default:, output:}`, which is a `$group` by a `$switch` over the boundaries, and a
// `$sort`.
extension PipelineCompiler {
    func bucketStages(_ value: RawValue) throws(CommandError) -> [Stage] {
        guard let document = value.document else {
            throw CommandError(
                ErrorCode(40201), "Argument to $bucket stage must be an object, but found type: \(value.type.alias)")
        }
        let syntax = try BucketSyntax(document)
        let boundaries = try syntax.boundaries(in: environment)
        let other = try syntax.defaultValue(in: environment, boundaries)
        let group = Document { group in
            group.append("_id", document: syntax.placing(boundaries, other))
            guard let output = syntax.output else {
                return group.append("count", document: Document { $0.append("$sum", int32: 1) })
            }
            for field in output { group.append(field) }
        }
        let compiled = try group.withRaw { raw throws(CommandError) in
            try Group(
                compiling: RawValue(type: .document, bytes: raw.bytes), in: environment)
        }
        let byID = Document { $0.append("_id", int32: 1) }
        return [.group(compiled), .sort(try SortPattern(compiling: byID, collator: collator), limit: nil)]
    }
}

/// The fields of a `$bucket`.
private struct BucketSyntax {
    private var groupBy: RawValue?
    private var boundaries: RawDocument?
    private var other: RawValue?
    private(set) var output: RawDocument?

    init(_ document: RawDocument) throws(CommandError) {
        for field in document {
            switch field.key {
            case "groupBy":
                groupBy = try field.bucketKey(of: "$bucket", ErrorCode(40202))
            case "boundaries":
                guard let array = field.value.array else {
                    throw CommandError(
                        ErrorCode(40200),
                        "The $bucket 'boundaries' field must be an array, but found type: \(field.value.type.alias)")
                }
                boundaries = array
            case "default": other = field.value
            case "output":
                output = try field.bucketOutput(of: "$bucket", ErrorCode(40196))
            default:
                throw CommandError(ErrorCode(40197), "Unrecognized option to $bucket: \(field.key.string)")
            }
        }
        guard groupBy != nil, boundaries != nil else {
            throw CommandError(ErrorCode(40198), "$bucket requires 'groupBy' and 'boundaries' to be specified.")
        }
    }

    /// The boundaries, constants in ascending order and of one type.
    func boundaries(in environment: ExpressionEnvironment) throws(CommandError) -> [Value] {
        var values: [Value] = []
        for element in boundaries ?? .none {
            // The time is the same for the whole command, but no constant.
            guard !element.value.names(anyOf: ["NOW", "CLUSTER_TIME"]),
                let value = try element.value.constant(in: environment)
            else {
                throw CommandError(ErrorCode(40191), "The $bucket 'boundaries' field must be an array of constants")
            }
            if let last = values.last { try Self.check(last, value, ValueOrder(environment.collator)) }
            values.append(value)
        }
        guard values.count > 1 else {
            throw CommandError(ErrorCode(40192), "The $bucket 'boundaries' field must have at least 2 values")
        }
        return values
    }

    private static func check(_ lower: Value, _ upper: Value, _ order: ValueOrder) throws(CommandError) {
        try lower.withRaw { lower throws(CommandError) in
            try upper.withRaw { upper throws(CommandError) in
                guard lower.isComparable(to: upper) else {
                    throw CommandError(
                        ErrorCode(40193),
                        "All values in the $bucket 'boundaries' must have the same type: found \(lower.type.alias) "
                            + "and \(upper.type.alias)")
                }
                guard order.compare(lower, upper) < 0 else {
                    throw CommandError(
                        ErrorCode(40194),
                        "The $bucket 'boundaries' must be in ascending order: "
                            + "\(lower.errorText) is not less than \(upper.errorText)")
                }
            }
        }
    }

    /// A constant that is in none of the buckets.
    func defaultValue(in environment: ExpressionEnvironment, _ boundaries: [Value]) throws(CommandError) -> Value? {
        guard let other else { return nil }
        guard let value = try other.constant(in: environment) else {
            throw CommandError(ErrorCode(40195), "The $bucket 'default' field must be a constant")
        }
        guard let first = boundaries.first, let last = boundaries.last else { return value }
        let order = ValueOrder(environment.collator)
        let isInside = value.withRaw { value in
            first.withRaw { order.compare($0, value) <= 0 } && last.withRaw { order.compare(value, $0) < 0 }
        }
        guard !isInside else {
            throw CommandError(
                ErrorCode(40199),
                "The $bucket 'default' field must be less than the lowest boundary or greater than or equal to the "
                    + "highest boundary.")
        }
        return value
    }

    /// The expression that yields the lower boundary of a document's bucket.
    func placing(_ boundaries: [Value], _ other: Value?) -> Document {
        let value = groupBy ?? .nothing(.null)
        let branches = Document { branches in
            for index in 1..<boundaries.count {
                let branch = Document { branch in
                    let isInside = Document.list([
                        .document(Self.comparison("$gte", value, boundaries[index - 1])),
                        .document(Self.comparison("$lt", value, boundaries[index])),
                    ])
                    branch.append("case", document: Document { $0.append("$and", .array(isInside)) })
                    branch.append("then", document: Self.literal(boundaries[index - 1]))
                }
                branches.append(index: index - 1, .document(branch))
            }
        }
        let choice = Document { choice in
            choice.append("branches", .array(branches))
            if let other { choice.append("default", document: Self.literal(other)) }
        }
        return Document { $0.append("$switch", document: choice) }
    }

    private static func comparison(_ name: StaticString, _ value: RawValue, _ boundary: Value) -> Document {
        let operands = Document.list([Value(copying: value), .document(literal(boundary))])
        return Document { $0.append(name, .array(operands)) }
    }

    private static func literal(_ value: Value) -> Document { Document { $0.append("$literal", value) } }
}

extension Document {
    fileprivate static func list(_ values: [Value]) -> Document {
        Document { for (index, value) in values.enumerated() { $0.append(index: index, value) } }
    }
}

// The fields that both kinds of buckets have.
extension RawElement {
    func bucketKey(of stage: String, _ code: ErrorCode) throws(CommandError) -> RawValue {
        guard value.isOperatorOrPath else {
            throw CommandError(
                code,
                "The \(stage) 'groupBy' field must be defined as a $-prefixed path or an expression, but found: "
                    + value.errorText)
        }
        return value
    }

    func bucketOutput(of stage: String, _ code: ErrorCode) throws(CommandError) -> RawDocument {
        guard let fields = value.document else {
            throw CommandError(
                code, "The \(stage) 'output' field must be an object, but found type: \(value.type.alias)")
        }
        return fields
    }
}

extension RawValue {
    /// `"$path"` or `{$operator: …}`, which is what buckets are made by.
    fileprivate var isOperatorOrPath: Bool {
        if type == .string { return stringBytes?.first == UInt8(ascii: "$") }
        return type == .document
    }

    /// The value of an expression that depends on no document; nil of one that does.
    fileprivate func constant(in environment: ExpressionEnvironment) throws(CommandError) -> Value? {
        let arena = ProgramArena()
        var compiler = ExpressionCompiler(arena: arena, environment: environment)
        switch try compiler.compile(arena.copy(self)) {
        case .constant(let value): return withExtendedLifetime(arena) { Value(copying: value) }
        default: return nil
        }
    }

    /// Whether both are of one type in the order of values; all numbers are.
    fileprivate func isComparable(to other: RawValue) -> Bool {
        type == other.type || number != nil && other.number != nil
    }
}
