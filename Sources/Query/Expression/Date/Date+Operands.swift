internal import BSON
internal import CommandModel

extension RawValue {
    /// The instant that a date, a timestamp or an object id tells, in milliseconds since 1970 UTC.
    var instant: Int64? {
        switch type {
        case .date: date
        case .timestamp: timestamp.map { Int64($0 >> 32) * 1000 }
        // The seconds of object ids have a sign, those of timestamps have none.
        case .objectID: objectID.map { Int64(Int32(truncatingIfNeeded: Int64(bitPattern: $0.high) >> 32)) * 1000 }
        default: nil
        }
    }
}

// What operands of operators on dates have in common.
extension DateOperator {
    static func date(_ value: RawValue?, _ code: Int32 = 16006) throws(CommandError) -> Int64 {
        if let instant = value?.instant { return instant }
        throw CommandError(ErrorCode(code), "can't convert from BSON type \(value.typeName) to Date")
    }

    /// UTC if the operand is not given.
    ///
    /// - Parameter value: not null.
    static func zone(
        _ operand: Expression, _ value: RawValue?, _ run: Evaluator
    ) throws(CommandError) -> TimeZone {
        guard operand.isGiven else { return .utc }
        guard let value, value.type == .string, let name = value.stringBytes else {
            throw CommandError(
                ErrorCode(40517), "timezone must evaluate to a string, found \(value.typeName)")
        }
        return try run.timeZones.zone(named: name)
    }

    static func unit(_ value: RawValue?) throws(CommandError) -> DateUnit {
        guard let value, let name = value.name else {
            throw CommandError(
                ErrorCode(5_439_013), "expects 'unit' to be a string, found \(value.typeName)")
        }
        guard let unit = DateUnit(name) else {
            throw CommandError(.failedToParse, "unknown time unit value: \(value.errorText)")
        }
        return unit
    }

    /// 1 (Monday) … 7; Sunday if the operand is not given.
    ///
    /// - Parameter value: not null.
    static func startOfWeek(_ operand: Expression, _ value: RawValue?) throws(CommandError) -> Int64 {
        guard operand.isGiven else { return 7 }
        guard let value, let name = value.name else {
            throw CommandError(
                ErrorCode(5_439_015), "expects 'startOfWeek' to be a string, found \(value.typeName)")
        }
        guard let day = CalendarNames.index(of: name.bytes, in: CalendarNames.weekdays) else {
            throw CommandError(ErrorCode(5_439_016), "unknown day of week value: \(value.errorText)")
        }
        return day
    }

    /// Whether a value was asked for and is not there.
    static func isNull(_ operand: Expression, _ value: RawValue?) -> Bool { operand.isGiven && value.isNullish }
}

extension RawValue {
    fileprivate var name: RawKey? {
        guard type == .string, let bytes = stringBytes, let start = bytes.baseAddress else { return nil }
        return RawKey(start: start, count: bytes.count)
    }
}
