internal import BSON
internal import CommandModel

// Arguments that are understood, and refused when they ask for something else than what is done anyway. What is
// malformed is told before what is not supported.

extension Argument {
    /// Only the simple collation, which compares bytes, is known.
    func checkCollation() throws(CommandError) {
        // An empty one stands for that of the collection.
        guard let collation = try ifPresent(Argument.document), !collation.isEmpty else { return }
        guard try validateCollation() else {
            throw CommandError(.notImplemented, "collations other than {locale: \"simple\"} are not supported yet")
        }
    }

    /// `let`: variables for expressions. An expression that could use one is refused where it stands, so that only
    /// those are refused here that would have to be computed.
    func checkVariables() throws(CommandError) {
        guard let variables = try ifPresent(Argument.document) else { return }
        try variables.withRaw { raw throws(CommandError) in
            for variable in raw {
                try Self.checkVariableName(variable.key)
                guard Self.isConstant(variable.value) else {
                    throw CommandError(
                        .notImplemented,
                        "'\(variable.key.string)' in \(name): variables other than constants are not supported yet")
                }
            }
        }
    }

    private static func checkVariableName(_ key: RawKey) throws(CommandError) {
        guard let first = key.string.utf8.first else {
            throw CommandError(ErrorCode(16867), "empty variable names are not allowed")
        }
        guard first >= 0x80 || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first) else {
            throw CommandError(
                .failedToParse, "'\(key.string)' starts with an invalid character for a user variable name")
        }
        let isName = key.string.utf8.allSatisfy { byte in
            byte >= 0x80 || byte == UInt8(ascii: "_") || Self.isAlphanumeric(byte)
        }
        guard isName else {
            throw CommandError(
                .failedToParse, "'\(key.string)' contains an invalid character for a variable name")
        }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }

    /// No field path, no operator, at any depth; the depth is bounded, as that of every document.
    private static func isConstant(_ value: RawValue) -> Bool {
        if let string = value.stringBytes { return string.first != UInt8(ascii: "$") }
        guard let container = value.container else { return true }
        return container.allSatisfy { !$0.key.startsWithDollar && isConstant($0.value) }
    }

    /// A flag that may be given, but not be set.
    func refuseIfSet(_ command: StaticString) throws(CommandError) {
        guard try ifPresent(Argument.lenientBool) != true else { throw notSupportedYet(command) }
    }

    /// `term` and the like, by which the members of a replica set talk among themselves.
    func ignoreInternalLong() throws(CommandError) {
        _ = try ifPresent(Argument.long)
    }

    /// A document that may be given, but must be empty.
    func refuseUnlessEmpty(_ command: StaticString) throws(CommandError) {
        guard try ifPresent(Argument.document)?.isEmpty != false else { throw notSupportedYet(command) }
    }
}
