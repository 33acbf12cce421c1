internal import BSON
internal import CommandModel

// Operators on dates with a syntax of their own.
extension ExpressionCompiler {
    /// `$year: date`, `$year: [date]` or `$year: {date:, timezone:}`.
    mutating func datePart(_ part: DatePart, _ element: RawElement, _ depth: Int) throws(CommandError) -> Expression {
        var operands: [Expression] = [.notGiven, .notGiven]
        if let document = element.value.document, document.firstKey.map({ !$0.startsWithDollar }) ?? true {
            for operand in document {
                switch operand.key {
                case "date": operands[0] = try compile(operand.value, depth: depth + 1)
                case "timezone": operands[1] = try compile(operand.value, depth: depth + 1)
                default:
                    throw CommandError(
                        ErrorCode(40535), "unrecognized option to \(part.name): \"\(operand.key.string)\"")
                }
            }
            guard operands[0].isGiven else {
                throw CommandError(ErrorCode(40539), "missing 'date' argument to \(part.name)")
            }
        } else if let array = element.value.array {
            guard let only = array.firstElement, array.elementCount == 1 else {
                throw CommandError(
                    ErrorCode(40536),
                    "\(part.name) accepts exactly one argument if given an array, but was given "
                        + "\(array.elementCount)")
            }
            operands[0] = try compile(only.value, depth: depth + 1)
        } else {
            operands[0] = try compile(element.value, depth: depth + 1)
        }
        return .call(.date(.part(part)), arena.list(operands))
    }

    /// `$dateFromParts: {year:, month: …}` or `{isoWeekYear:, isoWeek: …}`.
    mutating func dateFromParts(_ element: RawElement, _ depth: Int) throws(CommandError) -> Expression {
        guard let document = element.value.document else {
            throw CommandError(ErrorCode(40519), "$dateFromParts only supports an object as its argument")
        }
        let isISO = document["year"] == nil && document["isoWeekYear"] != nil
        try checkParts(document, isISO: isISO)
        let names = isISO ? DateOperator.isoPartNames : DateOperator.partNames
        var operands = [Expression](repeating: .notGiven, count: names.count)
        for operand in document {
            guard let index = names.firstIndex(where: { operand.key == $0 }) else { continue }
            operands[index] = try compile(operand.value, depth: depth + 1)
        }
        return .call(.date(isISO ? .fromISOParts : .fromParts), arena.list(operands))
    }

    private func checkParts(_ document: RawDocument, isISO: Bool) throws(CommandError) {
        for key in document.lazy.map(\.key) {
            let isOther = DateOperator.partNames.prefix(3).contains { key == $0 }
            let isISOName = DateOperator.isoPartNames.prefix(3).contains { key == $0 }
            guard isOther || isISOName || DateOperator.partNames.contains(where: { key == $0 }) else {
                throw CommandError(ErrorCode(40518), "Unrecognized argument to $dateFromParts: \(key.string)")
            }
        }
        guard isISO || document["year"] != nil else {
            throw CommandError(ErrorCode(40516), "$dateFromParts requires either 'year' or 'isoWeekYear' to be present")
        }
        let foreign = isISO ? DateOperator.partNames.prefix(3) : DateOperator.isoPartNames.prefix(3)
        guard !document.contains(where: { element in foreign.contains { element.key == $0 } }) else {
            throw CommandError(
                ErrorCode(isISO ? 40525 : 40489), "$dateFromParts does not allow mixing natural dates with ISO dates")
        }
    }
}
