package import BSON
package import NIOCore

/// What a read may see. Every read of Martlet sees committed data only, so `local`, `available` and `majority` are
/// one thing here; `linearizable` too, since there is one primary and it reads its own committed state.
package struct ReadConcern: Sendable, Equatable {
    package enum Level: String, Sendable {
        case local, available, majority, linearizable, snapshot, serializable
    }

    package var level: Level?

    package init(level: Level?) {
        self.level = level
    }

    init(_ value: RawValue) throws(CommandError) {
        guard let document = value.document else {
            throw CommandError.wrongType("readConcern", value, expected: "object")
        }
        for field in document {
            switch field.key {
            case "level": level = try Self.level(field.value)
            case "provenance", "afterClusterTime", "atClusterTime", "afterOpTime", "allowTransactionTableSnapshot",
                "waitLastStableRecoveryTimestamp":
                continue
            default: throw Argument(command: "readConcern", key: field.key, value: field.value).unknownField()
            }
        }
    }

    private static func level(_ value: RawValue) throws(CommandError) -> Level? {
        if value.type == .null || value.type == .undefined { return nil }
        guard let name = value.string else {
            throw CommandError.wrongType("readConcern.level", value, expected: "string")
        }
        guard let level = Level(rawValue: name) else {
            throw CommandError(
                .badValue, "Enumeration value '\(name)' for field 'readConcern.level' is not a valid value.")
        }
        return level
    }
}

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

    package init() {}

    package var isUnacknowledged: Bool { w == .members(0) }

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

    init(_ value: RawValue) throws(CommandError) {
        guard let document = value.document else {
            throw CommandError.wrongType("writeConcern", value, expected: "object")
        }
        for field in document {
            switch field.key {
            case "w": w = try Self.acknowledgement(field.value)
            case "j", "fsync":
                guard field.value.bool != nil || field.value.number != nil || field.value.type == .null else {
                    throw Argument(command: "writeConcern", key: field.key, value: field.value)
                        .wrongType(expected: "bool, long, int, decimal, double")
                }
            case "wtimeout", "wtimeoutMS":
                guard let number = field.value.number else { continue }
                guard number.saturatingInt64 <= Int64(Int32.max), number.saturatingInt64 >= Int64(Int32.min) else {
                    throw CommandError(.failedToParse, "wtimeout must be a 32-bit integer")
                }
            case "getLastError", "provenance": continue
            default: throw Argument(command: "writeConcern", key: field.key, value: field.value).unknownField()
            }
        }
    }

    private static func acknowledgement(_ value: RawValue) throws(CommandError) -> Acknowledgement {
        if let number = value.number {
            let count = number.saturatingInt64
            guard count >= 0, count <= 50 else {
                throw CommandError(
                    .failedToParse, "w has to be a non-negative number and not greater than 50; found: \(count)")
            }
            return .members(Int(count))
        }
        if let name = value.string { return name == "majority" ? .majority : .mode(name) }
        if value.type == .null { return .members(1) }
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
}
