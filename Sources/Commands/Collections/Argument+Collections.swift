internal import BSON
internal import CommandModel

extension Argument {
    /// One of a few words.
    func word(of allowed: [String]) throws(CommandError) -> String {
        let word = try string()
        guard allowed.contains(word) else {
            throw CommandError(.badValue, "Enumeration value '\(word)' for field '\(name)' is not a valid value.")
        }
        return word
    }

    /// The 16 bytes of a UUID.
    func uuid() throws(CommandError) -> [UInt8] {
        guard let (subtype, data) = value.binary else { throw wrongType(expected: "binData") }
        guard subtype == 4 else {
            throw CommandError(
                .typeMismatch,
                "BSON field '\(name)' is the wrong binData type '\(subtype)', expected type 'UUID'")
        }
        guard data.count == 16 else {
            throw CommandError(
                ErrorCode(207, "InvalidUUID"), "uuid must be a 16-byte binary field with UUID (4) subtype")
        }
        return Array(data)
    }

    func notSupportedYet(_ command: StaticString) -> CommandError {
        CommandError(.notImplemented, "\(command): the option '\(key.string)' is not supported yet")
    }
}

extension Namespace {
    /// Reads `database.collection`.
    ///
    /// - Throws: InvalidNamespace (73).
    init(validating full: String) throws(CommandError) {
        guard let dot = full.utf8.firstIndex(of: UInt8(ascii: ".")) else {
            throw CommandError(.invalidNamespace, "Invalid namespace specified '\(full)'")
        }
        self = try .validated(
            database: String(full[..<dot]), collection: String(full[full.index(after: dot)...]))
    }
}
