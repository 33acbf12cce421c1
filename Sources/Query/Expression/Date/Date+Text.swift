internal import BSON
internal import CommandModel

// `$dateToString` and `$dateFromString`.
extension DateOperator {
    /// Operands: date, format, time zone, value in place of null.
    static func toString(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        let value = try operands[0].evaluate(run)
        if value.isNullish { return operands[3].isGiven ? try operands[3].evaluate(run) : .nothing(.null) }
        let formatText = try operands[1].evaluate(run)
        let place = try operands[2].evaluate(run)
        guard !isNull(operands[1], formatText), !isNull(operands[2], place) else { return .nothing(.null) }
        let zone = try zone(operands[2], place, run)
        let instant = try date(value)
        guard let format = try format(operands[1], formatText, 18533, isRead: false) else {
            return try DateFormat(iso: zone).write(instant, in: zone, run.scratch)
        }
        return try format.write(instant, in: zone, run.scratch)
    }

    /// - Returns: nil if it is not given.
    private static func format(
        _ operand: Expression, _ value: RawValue?, _ code: Int32, isRead: Bool
    ) throws(CommandError) -> DateFormat? {
        guard operand.isGiven else { return nil }
        guard let value, value.type == .string, let text = value.stringBytes else {
            throw CommandError(ErrorCode(code), "requires that 'format' be a string, found: \(value.typeName)")
        }
        return try DateFormat(text, isRead: isRead)
    }

    /// Operands: text, format, time zone, value in place of an error, value in place of null.
    static func fromString(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        let value = try operands[0].evaluate(run)
        if value.isNullish { return operands[4].isGiven ? try operands[4].evaluate(run) : .nothing(.null) }
        let formatText = try operands[1].evaluate(run)
        let place = try operands[2].evaluate(run)
        guard !isNull(operands[1], formatText), !isNull(operands[2], place) else { return .nothing(.null) }
        let format = try format(operands[1], formatText, 40684, isRead: true)
        let zone = try zone(operands[2], place, run)
        if let value, value.type == .string, let text = value.stringBytes,
            let fields = format.map({ $0.fields(text) }) ?? DateScanner.fields(text),
            // A text that says its zone contradicts an operand that says another.
            fields.zone == nil || zone.isUTC, let instant = fields.instant(in: zone)
        {
            return try run.scratch.date(instant)
        }
        guard !operands[3].isGiven else { return try operands[3].evaluate(run) }
        throw CommandError(
            ErrorCode(241, "ConversionFailure"),
            "Error parsing date string \(value?.errorText ?? "missing") of type \(value.typeName)")
    }
}

extension DateFormat {
    /// The one of ISO 8601, with `Z` only where the clocks show UTC.
    fileprivate init(iso zone: TimeZone) throws(CommandError) {
        let text = zone.isUTC ? Self.isoUTC : Self.iso
        try self.init(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount), isRead: false)
    }
}
