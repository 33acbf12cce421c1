internal import BSON
internal import CommandModel

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

// What `$toLower`, `$toUpper`, `$strcasecmp` and `$substr` take for a string. Conversions (`$toString`) write some
// types in other ways.
extension StringOperator {
    /// - Throws: 16007 for what has no text.
    static func coerced(_ value: RawValue?, _ run: Evaluator) throws(CommandError) -> UnsafeRawBufferPointer {
        switch value?.type {
        case nil, .null?, .undefined?: return .none
        case .string?, .symbol?, .javascript?: return value?.stringBytes ?? .none
        case .int32?, .int64?: return try bytes("\(value?.number?.asInt64Exact ?? 0)", run)
        case .double?: return try bytes(shortText(value?.double ?? 0), run)
        case .decimal128?: return try bytes(value?.decimal?.description ?? "", run)
        case .date?: return try DateText.format(value?.date ?? 0, run.scratch).stringBytes ?? .none
        case .timestamp?: return try bytes(text(timestamp: value?.timestamp ?? 0), run)
        default:
            throw CommandError(ErrorCode(16007), "can't convert from BSON type \(value.typeName) to String")
        }
    }

    private static func bytes(_ text: String, _ run: Evaluator) throws(CommandError) -> UnsafeRawBufferPointer {
        try run.scratch.string(text).stringBytes ?? .none
    }

    /// Six digits, as C writes `%g`.
    private static func shortText(_ value: Double) -> String {
        guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { buffer in
            guard let start = buffer.baseAddress else { return "" }
            let count = withVaList([value]) { vsnprintf(start, buffer.count, "%g", $0) }
            let text = UnsafeRawBufferPointer(start: start, count: min(max(Int(count), 0), buffer.count - 1))
            return String(decoding: text, as: UTF8.self)
        }
    }

    /// `Jan  1 00:00:00:1`: the time without its year, and the increment.
    private static func text(timestamp: UInt64) -> String {
        let local = LocalTime(Int64(timestamp >> 32) * 1000, offset: 0)
        func padded(_ number: Int64, _ pad: Character = "0") -> String {
            number < 10 ? "\(pad)\(number)" : "\(number)"
        }
        let month = "\(CalendarNames.months[Int(local.date.month) - 1])".prefix(3)
        let time = "\(padded(local.hour)):\(padded(local.minute)):\(padded(local.second))"
        return "\(month) \(padded(local.date.day, " ")) \(time):\(timestamp & 0xFFFF_FFFF)"
    }
}
