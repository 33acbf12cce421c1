package import BSON

/// How far a write must have come before it is answered. Every acknowledged write of Martlet is committed and
/// flushed, so only `w: 0` and impossible demands make a difference.
package struct WriteConcern: Sendable, Equatable {
    package enum Acknowledgement: Sendable, Equatable {
        case members(Int)
        case majority
        /// A named mode: there are none here.
        case mode(String)
    }

    package var w: Acknowledgement = .members(1)
    /// `j` or its older name `fsync`: the client wants to hear that the write is flushed.
    package var isJournaled = false

    package init() {}

    /// The reply says nothing about what became of the write. Who asks for the journal asks for an answer.
    package var isUnacknowledged: Bool { w == .members(0) && !isJournaled }

    /// What stands in the reply as `writeConcernError` when the write is done but the demand cannot be met by one
    /// member.
    package var unsatisfied: CommandError? {
        switch w {
        case .members(let count) where count > 1:
            CommandError(.unsatisfiableWriteConcern, "Not enough data-bearing nodes")
        case .mode(let name):
            CommandError(
                .unknownReplWriteConcern, "No write concern mode named '\(name)' found in replica set configuration")
        default: nil
        }
    }

    package init(_ value: RawValue) throws(CommandError) {
        guard let document = value.document else {
            throw CommandError.wrongType("writeConcern", value, expected: "object")
        }
        var flushes = 0
        for field in document {
            let argument = Argument(command: "writeConcern", key: field.key, value: field.value)
            switch field.key {
            case "w": w = try Self.acknowledgement(field.value)
            case "j", "fsync": flushes += try argument.ifPresent(Argument.lenientBool) == true ? 1 : 0
            case "wtimeout", "wtimeoutMS": try Self.checkTimeout(field.value)
            case "provenance": try argument.checkProvenance()
            case "getLastError": continue
            default: throw argument.unknownField()
            }
        }
        guard flushes < 2 else {
            throw CommandError(.failedToParse, "fsync and j options cannot be used together")
        }
        isJournaled = flushes == 1
    }

    /// A time limit needs no more than its check: a write is never answered before it is where it can get.
    private static func checkTimeout(_ value: RawValue) throws(CommandError) {
        guard let number = value.number else { return }
        guard number.saturatingInt64 <= Int64(Int32.max) else {
            throw CommandError(.failedToParse, "wtimeout must be a 32-bit integer")
        }
    }

    private static func acknowledgement(_ value: RawValue) throws(CommandError) -> Acknowledgement {
        if let number = value.number { return try members(number) }
        if let name = value.string { return name == "majority" ? .majority : .mode(name) }
        if value.isNullish { return .members(1) }
        guard let tags = value.document else {
            throw CommandError(.failedToParse, "w has to be a number, string, or object; found: \(value.type.alias)")
        }
        guard !tags.isEmpty else { throw CommandError(.failedToParse, "tagged write concern requires tags") }
        for tag in tags where tag.value.number == nil {
            throw CommandError(
                .failedToParse,
                "tags must be a single level document with only number values; found: \(tag.value.type.alias)")
        }
        return .mode("tags")
    }

    private static func members(_ number: Number) throws(CommandError) -> Acknowledgement {
        let count = number.saturatingInt64
        guard !number.isNaN, count >= 0, count <= 50 else {
            throw CommandError(
                .failedToParse,
                "w has to be a non-negative number and not greater than 50; found: \(number.isNaN ? "NaN" : "\(count)")"
            )
        }
        return .members(Int(count))
    }
}
