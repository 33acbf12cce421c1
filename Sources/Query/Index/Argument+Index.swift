internal import BSON
package import CommandModel

// The options of an index, one by one.
extension Argument {
    func indexName() throws(CommandError) -> String {
        let name = try string()
        guard !name.isEmpty else {
            throw CommandError(.cannotCreateIndex, "The index name cannot be empty")
        }
        guard name != "*" else { throw CommandError(.badValue, "The index name '*' is not valid.") }
        guard !name.utf8.contains(0) else {
            throw CommandError(.cannotCreateIndex, "The index name must not contain a null byte")
        }
        guard name.utf8.count <= IndexSpecification.nameLengthMax else {
            throw CommandError(
                .cannotCreateIndex, "The index name is longer than \(IndexSpecification.nameLengthMax) bytes")
        }
        return name
    }

    package func indexVersion() throws(CommandError) -> Int32 {
        guard let number = value.number else { throw wrongType(expected: "long, int, decimal, double") }
        guard let version = number.asInt64Exact else {
            throw CommandError(.badValue, "Index version must be representable as a 32-bit integer")
        }
        guard version == 1 || version == 2 else {
            throw CommandError(.cannotCreateIndex, "Invalid index specification: version \(version) is not supported")
        }
        return Int32(version)
    }

    /// Whole seconds; a fraction is cut off.
    func expiry() throws(CommandError) -> Int32 {
        guard let number = value.number, !number.isNaN else {
            throw CommandError(.cannotCreateIndex, "TTL index 'expireAfterSeconds' must be numeric")
        }
        let seconds = number.asInt64Truncated ?? number.saturatingInt64
        guard let seconds = Int32(exactly: seconds), seconds >= 0 else {
            throw CommandError(
                .cannotCreateIndex,
                "TTL index 'expireAfterSeconds' must be from 0 to \(Int32.max): \(seconds)")
        }
        return seconds
    }

    func indexCollation() throws(CommandError) -> CollationChoice {
        guard value.document?.isEmpty != true else {
            throw CommandError(.badValue, "The field 'collation' cannot be an empty object.")
        }
        return try collator().map { .chosen($0) } ?? .simple
    }

    func checkedStorageEngine() throws(CommandError) -> Document {
        try checkStorageEngine()
        return try document()
    }

    func double() throws(CommandError) -> Double {
        guard let number = value.number else { throw wrongType(expected: "long, int, decimal, double") }
        return number.asDouble
    }

    /// How finely a `2d` index tells places apart.
    func planeBits() throws(CommandError) -> Value {
        let bits = try integer()
        guard (1...32).contains(bits) else {
            throw CommandError(.invalidOptions, "bits for hash must be > 0 and <= 32, but \(bits) bits were specified")
        }
        return .int32(Int32(bits))
    }

    /// Of a kind of index; there are 1 to 3.
    func pluginVersion(_ kind: StaticString) throws(CommandError) -> Int32 {
        let version = try integer()
        guard (1...3).contains(version) else {
            throw CommandError(
                .cannotCreateIndex, "unsupported \(kind) index version \(version), only 1, 2 and 3 are supported")
        }
        return Int32(version)
    }

    /// A document of weights by path, or one path.
    func textWeights() throws(CommandError) -> Value {
        switch value.type {
        case .document: return Value(copying: value)
        case .string where value.string == "$**":
            return .document(Document { $0.append("$**", int32: 1) })
        case .string, .array:
            throw CommandError(.cannotCreateIndex, "text index option 'weights' must be an object")
        default: throw wrongType(expected: "object, string")
        }
    }
}

extension ErrorCode {
    package static let invalidIndexSpecificationOption = ErrorCode(197, "InvalidIndexSpecificationOption")
    package static let indexOptionsConflict = ErrorCode(85, "IndexOptionsConflict")
    package static let indexKeySpecsConflict = ErrorCode(86, "IndexKeySpecsConflict")
}
