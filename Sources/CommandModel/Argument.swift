package import BSON
package import NIOCore

/// One field of a command, with what is needed to refuse it in MongoDB's words.
///
/// Borrowed like the value it holds.
package struct Argument {
    /// The dotted name that error messages show: `find.filter`, `insert.documents.0`.
    package let command: StaticString
    package let key: RawKey
    package let value: RawValue

    package init(command: StaticString, key: RawKey, value: RawValue) {
        self.command = command
        self.key = key
        self.value = value
    }

    package var name: String { "\(command).\(key.string)" }

    package func wrongType(expected: String) -> CommandError {
        .wrongType(name, value, expected: expected)
    }

    package func unknownField() -> CommandError {
        CommandError(.idlFailedToParse, "BSON field '\(name)' is an unknown field.")
    }

    package func document() throws(CommandError) -> Document {
        guard let document = value.document else { throw wrongType(expected: "object") }
        return Document(copying: document)
    }

    package func array() throws(CommandError) -> RawDocument {
        guard let array = value.array else { throw wrongType(expected: "array") }
        return array
    }

    package func string() throws(CommandError) -> String {
        guard let string = value.string else { throw wrongType(expected: "string") }
        return string
    }

    /// Only a boolean.
    package func bool() throws(CommandError) -> Bool {
        guard let bool = value.bool else { throw wrongType(expected: "bool") }
        return bool
    }

    /// A boolean or any number, as MongoDB's lenient flags take it.
    package func lenientBool() throws(CommandError) -> Bool {
        if let bool = value.bool { return bool }
        guard let number = value.number else { throw wrongType(expected: "bool, long, int, decimal, double") }
        return number.asDouble != 0
    }

    /// Any number, truncated toward zero into 64 bits.
    package func integer() throws(CommandError) -> Int64 {
        guard let number = value.number else { throw wrongType(expected: "long, int, decimal, double") }
        return number.saturatingInt64
    }

    /// Any number that is zero or more.
    package func nonNegativeInteger() throws(CommandError) -> Int64 {
        let integer = try integer()
        guard integer >= 0 else {
            throw CommandError(
                Self.outOfRange, "BSON field '\(key.string)' value must be >= 0, actual value '\(integer)'")
        }
        return integer
    }

    package static let outOfRange = ErrorCode(51024)
}

extension CommandError {
    /// - Parameter expected: a type's name, or several with commas between.
    package static func wrongType(_ field: String, _ value: RawValue, expected: String) -> CommandError {
        let word = expected.contains(",") ? "types '[\(expected)]'" : "type '\(expected)'"
        return CommandError(
            .typeMismatch, "BSON field '\(field)' is the wrong type '\(value.type.alias)', expected \(word)")
    }
}

extension Number {
    /// Truncated toward zero; NaN is 0, what lies outside is the nearest bound.
    package var saturatingInt64: Int64 {
        switch self {
        case .int32(let value): Int64(value)
        case .int64(let value): value
        case .double(let value): saturated(value)
        case .decimal: asInt64Exact ?? saturated(asDouble)
        }
    }
}

private func saturated(_ value: Double) -> Int64 {
    if value.isNaN { return 0 }
    if value >= 0x1p63 { return .max }
    return value <= -0x1p63 ? .min : Int64(value)
}
