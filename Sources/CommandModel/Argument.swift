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
        return !number.isZero
    }

    /// Any number as 64 bits: a double is truncated toward zero, a decimal rounded half to even.
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

    /// Only an int64.
    package func long() throws(CommandError) -> Int64 {
        guard let long = value.int64 else { throw wrongType(expected: "long") }
        return long
    }

    /// An array of documents, as the body holds it when the client sends no document sequence.
    package func documents() throws(CommandError) -> [Document] {
        var documents: [Document] = []
        for element in try array() {
            guard let document = element.value.document else {
                throw CommandError.wrongType("\(name).\(element.key.string)", element.value, expected: "object")
            }
            documents.append(Document(copying: document))
        }
        return documents
    }

    /// Calls `visit` for each field of an embedded document, as arguments named `name`.
    package func forEachField(
        named name: StaticString, _ visit: (Argument) throws(CommandError) -> Void
    ) throws(CommandError) {
        guard let document = value.document else { throw wrongType(expected: "object") }
        for field in document { try visit(Argument(command: name, key: field.key, value: field.value)) }
    }

    package static let outOfRange = ErrorCode.badValue
}

// Null in the place of an argument.
extension Argument {
    /// A null, or the deprecated undefined, stands for an argument that is not given.
    package var isOmitted: Bool { value.isNullish }

    /// - Parameter read: how to read the value, `Argument.string` for one; not called when there is none.
    package func ifPresent<R>(
        _ read: (Argument) -> () throws(CommandError) -> R
    ) throws(CommandError) -> R? {
        isOmitted ? nil : try read(self)()
    }
}

extension RawValue {
    package var isNullish: Bool { type == .null || type == .undefined }
}

extension CommandError {
    /// - Parameter expected: a type's name, or several with commas between.
    package static func wrongType(_ field: String, _ value: RawValue, expected: String) -> CommandError {
        let word = expected.contains(",") ? "types '[\(expected)]'" : "type '\(expected)'"
        return CommandError(
            .typeMismatch, "BSON field '\(field)' is the wrong type '\(value.type.alias)', expected \(word)")
    }

    package static func missingField(_ name: String) -> CommandError {
        CommandError(.idlMissingField, "BSON field '\(name)' is missing but a required field")
    }
}

extension Number {
    /// A double truncated toward zero, a decimal rounded half to even; NaN is 0, what lies outside is the nearest
    /// bound.
    package var saturatingInt64: Int64 {
        switch self {
        case .int32(let value): Int64(value)
        case .int64(let value): value
        case .double(let value): saturated(value)
        case .decimal(let value): value.rounded(places: 0).int64Exact ?? saturated(value.doubleValue)
        }
    }
}

private func saturated(_ value: Double) -> Int64 {
    if value.isNaN { return 0 }
    if value >= 0x1p63 { return .max }
    return value <= -0x1p63 ? .min : Int64(value)
}
