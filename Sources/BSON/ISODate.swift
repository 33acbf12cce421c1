/// Dates of the proleptic Gregorian calendar as ISO 8601 text, and back; in milliseconds since 1970 UTC.
package enum ISODate {
    private static let dayMilliseconds: Int64 = 86_400_000

    /// `2012-12-24T12:15:30.501Z`, without the fraction when that is zero; nil outside the years 1970 … 9999.
    package static func text(_ milliseconds: Int64) -> String? {
        guard milliseconds >= 0, milliseconds < 253_402_300_800_000 else { return nil }
        let day = CivilDate(days: milliseconds / dayMilliseconds)
        let time = milliseconds % dayMilliseconds
        let date = "\(day.year)-\(padded(day.month, 2))-\(padded(day.day, 2))"
        let hours = "\(padded(time / 3_600_000, 2)):\(padded(time / 60_000 % 60, 2)):\(padded(time / 1000 % 60, 2))"
        let fraction = time % 1000 == 0 ? "" : ".\(padded(time % 1000, 3))"
        return "\(date)T\(hours)\(fraction)Z"
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    /// `YYYY-MM-DDThh:mm:ss`, then maybe a fraction of any length, then `Z` or an offset such as `+01:00` or `+0100`.
    static func milliseconds(_ text: String) -> Int64? {
        var scanner = Scanner(bytes: Array(text.utf8))
        guard let year = scanner.number(4), scanner.take("-"), let month = scanner.number(2, in: 1...12),
            scanner.take("-"), let day = scanner.number(2, in: 1...CivilDate.daysIn(month: month, of: year)),
            scanner.take("T"),
            let hour = scanner.number(2, in: 0...23), scanner.take(":"),
            let minute = scanner.number(2, in: 0...59), scanner.take(":"),
            let second = scanner.number(2, in: 0...59), let fraction = scanner.fraction(),
            let offset = scanner.offset(), scanner.isAtEnd
        else { return nil }
        let seconds = hour * 3600 + minute * 60 + second - offset * 60
        return CivilDate(year: year, month: month, day: day).days * dayMilliseconds + seconds * 1000 + fraction
    }
}

private struct Scanner {
    let bytes: [UInt8]
    var position = 0

    var isAtEnd: Bool { position == bytes.count }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func digit() -> Int64? {
        guard position < bytes.count, bytes[position] >= 48, bytes[position] <= 57 else { return nil }
        position += 1
        return Int64(bytes[position - 1] - 48)
    }

    mutating func number(_ width: Int, in range: ClosedRange<Int64> = 0...9999) -> Int64? {
        var value: Int64 = 0
        for _ in 0..<width {
            guard let digit = digit() else { return nil }
            value = value * 10 + digit
        }
        return range.contains(value) ? value : nil
    }

    /// Milliseconds; what is finer is cut off.
    mutating func fraction() -> Int64? {
        guard take(".") else { return 0 }
        guard var value = digit().map({ $0 * 100 }) else { return nil }
        var weight: Int64 = 10
        while let digit = digit() {
            value += digit * weight
            weight /= 10
        }
        return value
    }

    /// Minutes east of UTC.
    mutating func offset() -> Int64? {
        if take("Z") { return 0 }
        let isWest = take("-")
        guard isWest || take("+"), let hours = number(2, in: 0...23) else { return nil }
        _ = take(":")
        guard let minutes = number(2, in: 0...59) else { return nil }
        return (isWest ? -1 : 1) * (hours * 60 + minutes)
    }
}
