package import BSON

/// What a read may see. Every read of Martlet sees committed data only, so `local`, `available` and `majority` are
/// one thing here; `linearizable` too, since there is one primary and it reads its own committed state. For the same
/// reason every read is after any cluster time that a client can have been told.
package struct ReadConcern: Sendable, Equatable {
    package enum Level: String, Sendable {
        case local, available, majority, linearizable, snapshot, serializable
    }

    package var level: Level?
    package var afterClusterTime: UInt64?
    package var atClusterTime: UInt64?

    package init(level: Level?) {
        self.level = level
    }

    package init(_ value: RawValue) throws(CommandError) {
        guard let document = value.document else {
            throw CommandError.wrongType("readConcern", value, expected: "object")
        }
        for field in document {
            try take(Argument(command: "readConcern", key: field.key, value: field.value))
        }
        try checkTimes()
    }

    private mutating func take(_ argument: Argument) throws(CommandError) {
        switch argument.key {
        case "level": level = try argument.ifPresent(Argument.readConcernLevel)
        case "provenance": try argument.checkProvenance()
        // Unlike elsewhere a null is no way to leave these out.
        case "afterClusterTime": afterClusterTime = try argument.timestamp()
        case "atClusterTime": atClusterTime = try argument.timestamp()
        case "afterOpTime": _ = try argument.ifPresent(Argument.document)
        case "allowTransactionTableSnapshot", "waitLastStableRecoveryTimestamp":
            _ = try argument.ifPresent(Argument.bool)
        default: throw argument.unknownField()
        }
    }

    private func checkTimes() throws(CommandError) {
        if let afterClusterTime {
            guard [nil, .local, .majority, .snapshot, .serializable].contains(level) else {
                throw CommandError(
                    .invalidOptions,
                    "afterClusterTime field can be set only if level is equal to majority, local, or snapshot")
            }
            guard afterClusterTime > 0 else {
                throw CommandError(.invalidOptions, "afterClusterTime cannot be a null timestamp")
            }
        }
        guard let atClusterTime else { return }
        guard level == .snapshot else {
            throw CommandError(.invalidOptions, "atClusterTime field can be set only if level is equal to snapshot")
        }
        guard afterClusterTime == nil else {
            throw CommandError(.invalidOptions, "Specifying a timestamp for readConcern snapshot in both ways")
        }
        guard atClusterTime >> 32 > 0 else {
            throw CommandError(.invalidOptions, "atClusterTime cannot be a null timestamp")
        }
    }
}

extension Argument {
    fileprivate func readConcernLevel() throws(CommandError) -> ReadConcern.Level {
        let word = try string()
        guard let level = ReadConcern.Level(rawValue: word) else {
            throw CommandError(
                .badValue, "Enumeration value '\(word)' for field '\(name)' is not a valid value.")
        }
        return level
    }

    fileprivate func timestamp() throws(CommandError) -> UInt64 {
        guard let timestamp = value.timestamp else { throw wrongType(expected: "timestamp") }
        return timestamp
    }

    /// Where a concern came from, as routers say it to the servers behind them; it changes nothing.
    func checkProvenance() throws(CommandError) {
        guard let word = try ifPresent(Argument.string) else { return }
        guard ["clientSupplied", "implicitDefault", "customDefault", "getLastErrorDefaults"].contains(word) else {
            throw CommandError(
                .badValue, "Enumeration value '\(word)' for field '\(name)' is not a valid value.")
        }
    }
}
