internal import BSON
internal import CommandModel

/// Dates: their parts, arithmetic, text. Each operator takes a date, a timestamp or an object id.
enum DateOperator {
    case part(DatePart)
    case add, subtract, difference, truncate
    case fromParts, fromISOParts, toParts
    case fromString, toString

    static let rules: [OperatorRule] =
        DatePart.rules + [
            .named("$dateAdd", .date(.add), shiftOperands), .named("$dateSubtract", .date(.subtract), shiftOperands),
            .named("$dateDiff", .date(.difference), differenceOperands),
            .named("$dateTrunc", .date(.truncate), truncationOperands),
            .special("$dateFromParts", .dateFromParts), .named("$dateToParts", .date(.toParts), partsOperands),
            .named("$dateFromString", .date(.fromString), readOperands),
            .named("$dateToString", .date(.toString), writeOperands),
        ]

    private static let shiftOperands = NamedOperands(
        required: ["startDate", "unit", "amount"], optional: ["timezone"], notDocument: ErrorCode(5_166_400),
        unknown: ErrorCode(5_166_401), absent: ErrorCode(5_166_402))
    private static let differenceOperands = NamedOperands(
        required: ["startDate", "endDate", "unit"], optional: ["timezone", "startOfWeek"],
        notDocument: ErrorCode(5_166_301), unknown: ErrorCode(5_166_302),
        absent: [ErrorCode(5_166_303), ErrorCode(5_166_304), ErrorCode(5_166_305)])
    private static let truncationOperands = NamedOperands(
        required: ["date", "unit"], optional: ["binSize", "timezone", "startOfWeek"],
        notDocument: ErrorCode(5_439_007), unknown: ErrorCode(5_439_008),
        absent: [ErrorCode(5_439_009), ErrorCode(5_439_010)])
    private static let partsOperands = NamedOperands(
        required: ["date"], optional: ["timezone", "iso8601"], notDocument: ErrorCode(40524),
        unknown: ErrorCode(40520), absent: ErrorCode(40522))
    private static let readOperands = NamedOperands(
        required: ["dateString"], optional: ["format", "timezone", "onError", "onNull"],
        notDocument: ErrorCode(40540), unknown: ErrorCode(40541), absent: ErrorCode(40542))
    private static let writeOperands = NamedOperands(
        required: ["date"], optional: ["format", "timezone", "onNull"], notDocument: ErrorCode(18629),
        unknown: ErrorCode(18534), absent: ErrorCode(18628))

    func evaluate(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        switch self {
        case .part(let part): try Self.part(part, operands, run)
        case .add: try Self.shift(operands, isBack: false, run)
        case .subtract: try Self.shift(operands, isBack: true, run)
        case .difference: try Self.difference(operands, run)
        case .truncate: try Self.truncate(operands, run)
        case .fromParts: try Self.fromParts(operands, isISO: false, run)
        case .fromISOParts: try Self.fromParts(operands, isISO: true, run)
        case .toParts: try Self.toParts(operands, run)
        case .fromString: try Self.fromString(operands, run)
        case .toString: try Self.toString(operands, run)
        }
    }
}
