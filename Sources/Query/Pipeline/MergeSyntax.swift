internal import BSON
internal import CommandModel

/// The argument of `$merge`, each part checked by itself.
struct MergeSyntax {
    let target: Namespace
    private(set) var on: [String]?
    /// `whenMatched`, when it is a word.
    private(set) var mode = "merge"
    /// `whenMatched`, when it is a pipeline.
    private(set) var stages: Value?
    private(set) var whenNotMatched = Merge.WhenNotMatched.insert
    /// `let`.
    private(set) var variables: Document?

    init(_ value: RawValue, _ database: String) throws(CommandError) {
        if let name = value.string {
            guard !name.isEmpty else {
                throw CommandError(.invalidNamespace, "Invalid $merge target namespace: '\(database).'")
            }
            target = try Self.target(database, name)
            return
        }
        guard let document = value.document else {
            throw CommandError(
                .typeMismatch, "$merge requires a string or object argument, but found \(value.type.alias)")
        }
        var into: Namespace?
        var syntax = Self(target: Namespace(database: database, collection: ""))
        for field in document {
            if field.key == "into" {
                into = try Self.into(field.value, database)
            } else {
                try syntax.take(Argument(command: "$merge", key: field.key, value: field.value))
            }
        }
        guard let into else { throw .missingField("$merge.into") }
        self = Self(target: into, syntax)
    }

    private init(target: Namespace) { self.target = target }

    private init(target: Namespace, _ other: Self) {
        self.target = target
        (on, mode, stages) = (other.on, other.mode, other.stages)
        (whenNotMatched, variables) = (other.whenNotMatched, other.variables)
    }

    private mutating func take(_ argument: Argument) throws(CommandError) {
        switch argument.key {
        case "on": on = try Self.fields(argument.value)
        case "let": variables = try argument.ifPresent(Argument.document)
        case "whenMatched": try takeMatched(argument.value)
        case "whenNotMatched":
            guard let word = try argument.ifPresent(Argument.string) else { return }
            guard let found = Merge.WhenNotMatched(rawValue: word) else {
                throw CommandError(
                    .badValue, "Enumeration value '\(word)' for field '\(argument.name)' is not a valid value.")
            }
            whenNotMatched = found
        default: throw argument.unknownField()
        }
    }

    private mutating func takeMatched(_ value: RawValue) throws(CommandError) {
        if let pipeline = value.array {
            for stage in pipeline where stage.value.document == nil {
                throw CommandError(.typeMismatch, "Each element of the 'pipeline' array must be an object")
            }
            stages = Value(copying: value)
            return
        }
        guard let word = value.string else {
            throw CommandError(
                ErrorCode(51191),
                "$merge 'whenMatched' field must be either a string or an array, but found "
                    + "\(value.type.alias)")
        }
        guard ["replace", "keepExisting", "merge", "fail"].contains(word) else {
            throw CommandError(
                .badValue, "Enumeration value '\(word)' for field '$merge.whenMatched' is not a valid value.")
        }
        mode = word
    }
}

// The target.
extension MergeSyntax {
    private static func into(_ value: RawValue, _ database: String) throws(CommandError) -> Namespace {
        if let name = value.string { return try target(database, name) }
        guard let document = value.document else {
            throw CommandError(
                ErrorCode(51178),
                "$merge 'into' field must be either a string or an object, but found "
                    + "\(value.type.alias)")
        }
        var (chosen, collection) = (database, String?.none)
        for field in document {
            let argument = Argument(command: "$merge.into", key: field.key, value: field.value)
            switch field.key {
            case "db":
                // Nothing stands for the database of the command.
                if let name = try argument.ifPresent(Argument.string), !name.isEmpty { chosen = name }
            case "coll": collection = try argument.ifPresent(Argument.string)
            default: throw argument.unknownField()
            }
        }
        guard let collection else {
            throw CommandError(ErrorCode(5_786_801), "$merge 'into.coll' must name a collection")
        }
        return try target(chosen, collection)
    }

    private static func target(_ database: String, _ collection: String) throws(CommandError) -> Namespace {
        guard !collection.isEmpty else {
            throw CommandError(ErrorCode(5_786_800), "$merge 'into' must name a collection, not an empty string")
        }
        let target = try Namespace.validated(database: database, collection: collection)
        guard !target.isOfServer else {
            throw CommandError(ErrorCode(31320), "Cannot $merge into internal database: \(database)")
        }
        guard !target.isOfSystem else {
            throw CommandError(ErrorCode(31319), "Cannot $merge into special collection: \(collection)")
        }
        return target
    }
}

// The fields.
extension MergeSyntax {
    private static func fields(_ value: RawValue) throws(CommandError) -> [String] {
        if value.string != nil { return [try path(value)] }
        guard let array = value.array else {
            throw CommandError(
                ErrorCode(51186),
                "$merge 'on' field must be either a string or an array of strings, but found "
                    + "\(value.type.alias)")
        }
        var fields: [String] = []
        for element in array {
            guard element.value.string != nil else {
                throw CommandError(
                    ErrorCode(51134),
                    "$merge 'on' array elements must be strings, but found \(element.value.type.alias)")
            }
            let field = try path(element.value)
            guard !fields.contains(field) else {
                throw CommandError(ErrorCode(31465), "Found a duplicate field '\(field)'")
            }
            fields.append(field)
        }
        guard !fields.isEmpty else {
            throw CommandError(
                ErrorCode(51187), "If explicitly specifying $merge 'on', must include at least one field")
        }
        return fields
    }

    private static func path(_ value: RawValue) throws(CommandError) -> String {
        guard let bytes = value.stringBytes else { return "" }
        guard let start = bytes.baseAddress, !bytes.isEmpty else {
            throw CommandError(ErrorCode(40352), "FieldPath cannot be constructed with empty string")
        }
        try checkFieldPath(RawKey(start: UnsafeRawPointer(start), count: bytes.count))
        guard !bytes.contains(0) else {
            throw CommandError(ErrorCode(16411), "FieldPath field names may not contain '\\0'.")
        }
        return value.string ?? ""
    }
}
