internal import BSON
internal import CommandModel

/// Dates as text that says nothing of its format.
enum DateText {
    /// Milliseconds since 1970 UTC, or nil for what is no date in full.
    static func parse(_ text: UnsafeRawBufferPointer) -> Int64? {
        DateScanner.fields(text)?.instant(in: .utc)
    }

    /// `2012-12-24T12:15:30.501Z`.
    ///
    /// - Throws: 18537 outside the years 0 … 9999.
    static func format(_ instant: Int64, _ scratch: Scratch) throws(CommandError) -> RawValue {
        let local = LocalTime(instant, offset: 0)
        let date = local.date
        guard (0...9999).contains(date.year) else { throw yearOutOfRange }
        let (value, target) = try scratch.string(byteCount: 24)
        var writer = DigitWriter(target: target)
        writer.write(date.year, width: 4, then: "-")
        writer.write(date.month, width: 2, then: "-")
        writer.write(date.day, width: 2, then: "T")
        writer.write(local.hour, width: 2, then: ":")
        writer.write(local.minute, width: 2, then: ":")
        writer.write(local.second, width: 2, then: ".")
        writer.write(local.millisecond, width: 3, then: "Z")
        return value
    }

    static let yearOutOfRange = CommandError(
        ErrorCode(18537), "Could not convert date to string: date component was outside the supported range of 0-9999")
}

private struct DigitWriter {
    let target: UnsafeMutableRawBufferPointer
    private var position = 0

    init(target: UnsafeMutableRawBufferPointer) { self.target = target }

    mutating func write(_ number: Int64, width: Int, then separator: Unicode.Scalar) {
        var rest = number
        for index in stride(from: position + width - 1, through: position, by: -1) {
            target[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        target[position + width] = UInt8(ascii: separator)
        position += width + 1
    }
}
