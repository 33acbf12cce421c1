internal import BSON
internal import CommandModel

// Stages that a line or two describe.
extension PipelineCompiler {
    /// - Parameter isFirst: the documents come from a collection.
    func match(_ value: RawValue, isFirst: Bool) throws(CommandError) -> Filter {
        guard let filter = value.document else {
            throw CommandError(ErrorCode(15959), "the match filter must be an expression in an object")
        }
        let matched = try Filter(compiling: filter, environment: environment, allowing: .text)
        guard isFirst || !matched.searchesText else { throw .textNotFirst }
        return matched
    }

    /// `$limit` and `$skip`.
    func count(
        _ stage: RawElement, minimum: Int64, _ code: ErrorCode, _ tooSmall: ErrorCode
    ) throws(CommandError) -> Int64 {
        guard let count = stage.value.number?.asInt64Exact else {
            throw CommandError(
                code,
                "invalid argument to \(stage.key.string) stage: Expected an integer: "
                    + "\(stage.key.string): \(stage.value.errorText)")
        }
        guard count >= minimum else {
            throw CommandError(
                count < 0 ? code : tooSmall,
                "invalid argument to \(stage.key.string) stage: the number must be at least \(minimum)")
        }
        return count
    }

    func project(_ value: RawValue) throws(CommandError) -> Projection {
        guard let specification = value.document else {
            throw CommandError(ErrorCode(15969), "$project specification must be an object")
        }
        return try Projection(compiling: specification, environment: environment, dialect: .stage)
    }

    func addFields(_ stage: RawElement) throws(CommandError) -> Projection {
        guard let specification = stage.value.document else {
            throw CommandError(
                ErrorCode(40272),
                "\(stage.key.string) specification stage must be an object, got \(stage.value.type.alias)")
        }
        return try Projection(addingFields: specification, environment: environment)
    }

    /// A field's name or an array of them, which is a projection that excludes them.
    func unset(_ value: RawValue) throws(CommandError) -> Projection {
        let names: [RawValue]
        if let array = value.array {
            names = array.map(\.value)
            guard !names.isEmpty else {
                throw CommandError(
                    ErrorCode(31119), "$unset specification must be a string or an array with at least one field")
            }
        } else {
            names = [value]
        }
        guard names.allSatisfy({ $0.string != nil }) else {
            throw CommandError(
                value.type == .array ? ErrorCode(31120) : ErrorCode(31002),
                "$unset specification must be a string or an array containing only string values")
        }
        var specification = DocumentBuilder()
        for text in names.compactMap(\.string) {
            guard !text.utf8.contains(0) else {
                throw CommandError(ErrorCode(9_527_900), "$unset: a field's name must not contain a null byte")
            }
            var path = text
            path.withUTF8 { bytes in
                let start = UnsafeRawPointer(bytes.baseAddress ?? UnsafePointer(bitPattern: 8).unsafelyUnwrapped)
                specification.append(RawKey(start: start, count: bytes.count), Value.int32(0))
            }
        }
        return try specification.finish().withRaw { raw throws(CommandError) in
            try Projection(compiling: raw, environment: environment, dialect: .stage)
        }
    }

    func replaceRoot(_ value: RawValue) throws(CommandError) -> CompiledExpression {
        guard let specification = value.document else {
            throw CommandError(
                ErrorCode(40229), "expected an object as specification for $replaceRoot stage, got \(value.type.alias)")
        }
        var root: RawValue?
        for field in specification {
            guard field.key == "newRoot" else {
                throw CommandError(
                    ErrorCode(40415),
                    "unrecognized option to $replaceRoot stage: \(field.key.string), only valid "
                        + "option is 'newRoot'.")
            }
            root = field.value
        }
        guard let root else {
            throw CommandError(ErrorCode(40414), "no newRoot specified for the $replaceRoot stage")
        }
        return try CompiledExpression(compilingRoot: root, in: environment)
    }

    /// `$documents: [...]`, an expression without a document that must yield an array of documents.
    func documents(_ value: RawValue) throws(CommandError) -> [Document] {
        var environment = environment
        environment.turnsMax = ExpressionEnvironment.turnsMaxUnwatched
        let expression = try CompiledExpression(compiling: value, in: environment)
        return try expression.withValue(of: .none) { value throws(CommandError) in
            guard let array = value?.array else {
                throw CommandError(ErrorCode(5_858_203), "an array is expected")
            }
            var documents: [Document] = []
            for element in array {
                guard let document = element.value.document else {
                    throw CommandError(ErrorCode(40228), "$documents: each element must be an object")
                }
                documents.append(Document(copying: document))
            }
            return documents
        }
    }

    /// `$count: "name"`, which is a `$group` of everything and a `$project`.
    func countStages(_ value: RawValue) throws(CommandError) -> [Stage] {
        guard value.type == .string, let name = value.string else {
            throw CommandError(ErrorCode(40156), "the count field must be a non-empty string")
        }
        guard !name.isEmpty else { throw CommandError(ErrorCode(40157), "the count field must be a non-empty string") }
        guard name != "_id" else { throw CommandError(ErrorCode(9_039_800), "the count field cannot be '_id'") }
        guard !name.hasPrefix("$") else {
            throw CommandError(ErrorCode(40158), "the count field cannot be a $-prefixed path")
        }
        guard !name.utf8.contains(0) else {
            throw CommandError(ErrorCode(40159), "the count field cannot contain a null byte")
        }
        guard !name.contains(".") else { throw CommandError(ErrorCode(40160), "the count field cannot contain '.'") }
        return try compile(
            .stages([
                Document { stage in
                    stage.nest("$group") { group in
                        group.appendNull("_id")
                        group.nest(name) { $0.append("$sum", int32: 1) }
                    }
                }, Document { stage in stage.nest("$project") { $0.append("_id", int32: 0) } },
            ]))
    }

    /// `$sortByCount: expression`, which is a `$group` that counts and a `$sort`.
    func sortByCount(_ value: RawValue) throws(CommandError) -> [Stage] {
        let isExpression =
            value.type == .string && value.stringBytes?.first == UInt8(ascii: "$")
            || value.document?.firstKey?.startsWithDollar == true
        guard value.type == .string || value.type == .document else {
            throw CommandError(ErrorCode(40149), "the sortByCount field must be specified as a string or as an object")
        }
        guard isExpression else {
            throw CommandError(
                value.type == .string ? ErrorCode(40148) : ErrorCode(40147),
                "the sortByCount field must be a $-prefixed path or an expression inside an object")
        }
        return try compile(
            .stages([
                Document { stage in
                    stage.nest("$group") { group in
                        group.append("_id", value)
                        group.nest("count") { $0.append("$sum", int32: 1) }
                    }
                }, Document { stage in stage.nest("$sort") { $0.append("count", int32: -1) } },
            ]))
    }

    /// Stages that others are short for.
    private func compile(_ stages: Value) throws(CommandError) -> [Stage] {
        try stages.withRaw { raw throws(CommandError) in try compile(raw.array ?? .none).pipeline.stages }
    }
}

extension Value {
    fileprivate static func stages(_ stages: [Document]) -> Value {
        .array(
            Document { builder in
                for (index, stage) in stages.enumerated() { builder.append(index: index, .document(stage)) }
            })
    }
}

extension DocumentBuilder {
    fileprivate mutating func nest(_ name: String, _ write: (inout DocumentBuilder) -> Void) {
        var name = name
        let inner = Document(write)
        name.withUTF8 { bytes in
            guard let start = bytes.baseAddress else { return }
            append(RawKey(start: start, count: bytes.count), Value.document(inner))
        }
    }
}
