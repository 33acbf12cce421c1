/// Reads a date from text that says nothing of its format: ISO 8601 with and without separators, dates with names of
/// months in English, American and European ones; a time of day; a time zone. Words that depend on the present
/// ("tomorrow") are no date.
///
/// The text is a sequence of tokens; each sets fields that no other has set.
struct DateScanner {
    private let text: UnsafeRawBufferPointer
    private var position = 0
    private var fields = DateFields()

    private init(_ text: UnsafeRawBufferPointer) { self.text = text }

    /// - Returns: nil for what is no date; the fields may still not be a date in full.
    static func fields(_ text: UnsafeRawBufferPointer) -> DateFields? {
        var scanner = DateScanner(text)
        while scanner.skipSpace() {
            guard scanner.token() else { return nil }
        }
        return scanner.fields
    }

    // MARK: characters

    private func byte(_ offset: Int = 0) -> UInt8 {
        position + offset < text.count ? text[position + offset] : 0
    }

    private func isDigit(_ offset: Int = 0) -> Bool { (48...57).contains(byte(offset)) }
    private func isLetter(_ offset: Int = 0) -> Bool { (97...122).contains(byte(offset) | 0x20) }

    /// - Returns: whether anything follows.
    private mutating func skipSpace() -> Bool {
        while position < text.count {
            switch text[position] {
            case 9...13, 32, 44, 0: position += 1
            case 0xC2 where byte(1) == 0xA0: position += 2
            default: return true
            }
        }
        return false
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard position < text.count, text[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private var digitCount: Int {
        var count = 0
        while isDigit(count) { count += 1 }
        return count
    }

    private mutating func number(_ count: ClosedRange<Int>) -> Int64? {
        var value: Int64 = 0
        var taken = 0
        while taken < count.upperBound, isDigit() {
            value = value * 10 + Int64(text[position] - 48)
            position += 1
            taken += 1
        }
        return taken >= count.lowerBound ? value : nil
    }

    private mutating func word() -> Slice<UnsafeRawBufferPointer> {
        let start = position
        while isLetter() { position += 1 }
        return text[start..<position]
    }

    // MARK: tokens

    private mutating func token() -> Bool {
        if isDigit() { return numericToken() }
        if isLetter() { return wordToken() }
        guard byte() == UInt8(ascii: "+") || byte() == UInt8(ascii: "-") else { return false }
        return signedToken()
    }

    private mutating func numericToken() -> Bool {
        let digits = digitCount
        switch (digits, byte(digits)) {
        case (14, _), (8, _): return compactDate(hasTime: digits == 14)
        case (7, _), (4, UInt8(ascii: ".")): return yearAndDay()
        case (4, UInt8(ascii: "-")), (4, UInt8(ascii: "/")): return isoDate(isNegative: false)
        case (4, UInt8(ascii: "W")): return isoDate(isNegative: false)
        case (1...2, UInt8(ascii: ":")): return timeToken()
        case (1...2, UInt8(ascii: "/")): return americanDate()
        case (1...2, UInt8(ascii: "-")), (1...2, UInt8(ascii: ".")): return europeanDate()
        case (1...2, _): return dayOrHour()
        case (4, _): return set(\.year, number(4...4))
        default: return false
        }
    }

    private mutating func set(_ field: WritableKeyPath<DateFields, Int64?>, _ value: Int64?) -> Bool {
        guard let value, fields[keyPath: field] == nil else { return false }
        fields[keyPath: field] = value
        return true
    }

    private mutating func setDate(_ year: Int64?, _ month: Int64?, _ day: Int64?) -> Bool {
        set(\.year, year) && set(\.month, month) && set(\.day, day)
    }
}

// Dates of numbers.
extension DateScanner {
    /// `20240615` and `20240615123045`.
    private mutating func compactDate(hasTime: Bool) -> Bool {
        guard setDate(number(4...4), number(2...2), number(2...2)) else { return false }
        guard hasTime else { return true }
        guard let hour = number(2...2), let minute = number(2...2), let second = number(2...2) else { return false }
        return setTime(hour, minute, second, 0)
    }

    /// `2024.167` and `2024167`: the day of the year.
    private mutating func yearAndDay() -> Bool {
        let year = number(4...4)
        _ = take(".")
        return set(\.year, year) && set(\.dayOfYear, number(3...3)) && !isDigit()
    }

    /// `2024-06-15`, `2024/6/15`, `2024-06`, `2024-167`, `2024-W24-6`.
    private mutating func isoDate(isNegative: Bool) -> Bool {
        guard let digits = number(4...4) else { return false }
        let year = isNegative ? -digits : digits
        let isSlashed = byte() == UInt8(ascii: "/")
        _ = take("-") || take("/")
        if take("W") { return isoWeek(of: year) }
        if !isSlashed, digitCount == 3 { return set(\.year, year) && set(\.dayOfYear, number(3...3)) }
        guard let month = number(1...2) else { return false }
        guard take(isSlashed ? "/" : "-") else { return setDate(year, month, 1) }
        return setDate(year, month, number(1...2))
    }

    private mutating func isoWeek(of year: Int64) -> Bool {
        guard set(\.isoWeekYear, year), let week = number(2...2), (1...53).contains(week) else { return false }
        fields.isoWeek = week
        guard take("-") || isDigit() else { return true }
        guard let day = number(1...1), (1...7).contains(day) else { return false }
        fields.isoDayOfWeek = day
        return true
    }

    /// `6/15/2024`, `6/15/24`, `6/15`.
    private mutating func americanDate() -> Bool {
        guard set(\.month, number(1...2)), take("/"), set(\.day, number(1...2)) else { return false }
        return take("/") ? set(\.year, shortYear()) : true
    }

    /// `15-6-2024`, `15.6.24`, `15-Jun-2024`.
    private mutating func europeanDate() -> Bool {
        guard set(\.day, number(1...2)) else { return false }
        let separator: Unicode.Scalar = byte() == UInt8(ascii: "-") ? "-" : "."
        guard take(separator) else { return false }
        let month = isLetter() ? CalendarNames.index(of: word(), in: CalendarNames.months) : number(1...2)
        return set(\.month, month) && take(separator) && set(\.year, shortYear())
    }

    /// Two digits are a year of 1970 … 2069.
    private mutating func shortYear() -> Int64? {
        switch digitCount {
        case 4: number(4...4)
        case 2: number(2...2).map { $0 + ($0 < 70 ? 2000 : 1900) }
        default: nil
        }
    }

    /// `15`, `15th`, `11am`.
    private mutating func dayOrHour() -> Bool {
        guard let number = number(1...2) else { return false }
        if let hour = meridiem(number) { return setTime(hour, 0, 0, 0) }
        if isLetter(), isLetter(1), !isLetter(2) {
            switch (byte() | 0x20, byte(1) | 0x20) {
            case (UInt8(ascii: "s"), UInt8(ascii: "t")), (UInt8(ascii: "n"), UInt8(ascii: "d")),
                (UInt8(ascii: "r"), UInt8(ascii: "d")), (UInt8(ascii: "t"), UInt8(ascii: "h")):
                position += 2
            default: return false
            }
        }
        return set(\.day, number)
    }
}

// Times and zones.
extension DateScanner {
    private mutating func setTime(_ hour: Int64, _ minute: Int64, _ second: Int64, _ millisecond: Int64) -> Bool {
        guard hour <= 24, minute <= 59, second <= 60 else { return false }
        guard hour < 24 || minute + second + millisecond == 0 else { return false }
        return set(\.time, hour * 3_600_000 + minute * 60_000 + second * 1000 + millisecond)
    }

    /// `12:30`, `12:30:45`, `12:30:45.123`, `1:30 pm`.
    private mutating func timeToken() -> Bool {
        guard let hour = number(1...2), take(":"), let minute = number(1...2) else { return false }
        var (second, millisecond): (Int64, Int64) = (0, 0)
        if take(":") {
            guard let number = number(1...2), let fraction = fraction() else { return false }
            (second, millisecond) = (number, fraction)
        }
        return setTime(meridiem(hour) ?? hour, minute, second, millisecond)
    }

    /// Milliseconds; what is finer is cut off.
    private mutating func fraction() -> Int64? {
        guard byte() == UInt8(ascii: ".") || byte() == UInt8(ascii: ",") && isDigit(1) else { return 0 }
        position += 1
        guard isDigit() else { return nil }
        var (value, weight): (Int64, Int64) = (0, 100)
        while isDigit() {
            value += Int64(text[position] - 48) * weight
            weight /= 10
            position += 1
        }
        return value
    }

    /// The hour of the day, when `am` or `pm` follows.
    private mutating func meridiem(_ hour: Int64) -> Int64? {
        var offset = 0
        while byte(offset) == 32 { offset += 1 }
        let half = byte(offset) | 0x20
        guard half == UInt8(ascii: "a") || half == UInt8(ascii: "p"), (1...12).contains(hour) else { return nil }
        let isDotted = byte(offset + 1) == UInt8(ascii: ".")
        let length = isDotted ? 4 : 2
        guard byte(offset + (isDotted ? 2 : 1)) | 0x20 == UInt8(ascii: "m"), !isLetter(offset + length) else {
            return nil
        }
        position += offset + length
        return hour % 12 + (half == UInt8(ascii: "p") ? 12 : 0)
    }

    /// `-0001-01-01`, a year before the year 0; or `+05:30`, an offset from UTC.
    private mutating func signedToken() -> Bool {
        let isNegative = byte() == UInt8(ascii: "-")
        position += 1
        if fields.year == nil, fields.time == nil, digitCount == 4, byte(4) == UInt8(ascii: "-") {
            return isoDate(isNegative: isNegative)
        }
        guard fields.time != nil || fields.day != nil else { return false }
        return offset(isNegative: isNegative)
    }

    /// `5`, `05`, `530`, `0530`, `05:30`, after the sign.
    private mutating func offset(isNegative: Bool) -> Bool {
        let digits = digitCount
        guard (1...4).contains(digits), var value = number(1...4) else { return false }
        var minutes: Int64 = 0
        if digits > 2 {
            (value, minutes) = (value / 100, value % 100)
        } else if take(":") {
            guard let number = number(2...2) else { return false }
            minutes = number
        }
        let offset = (value * 60 + minutes) * 60_000
        return setZone(.fixed(isNegative ? -offset : offset))
    }

    private mutating func setZone(_ zone: TimeZone) -> Bool {
        guard fields.zone == nil else { return false }
        fields.zone = zone
        return true
    }

    // MARK: words

    private mutating func wordToken() -> Bool {
        if byte() | 0x20 == UInt8(ascii: "t"), isDigit(1) {
            position += 1
            return timeAfterT()
        }
        let start = position
        let word = word()
        if let month = CalendarNames.index(of: word, in: CalendarNames.months) {
            if byte() == UInt8(ascii: ".") || byte() == UInt8(ascii: "-") && isDigit(1) { position += 1 }
            return set(\.month, month)
        }
        if let weekday = CalendarNames.index(of: word, in: CalendarNames.weekdays) {
            _ = take(".")
            return set(\.weekday, weekday)
        }
        return zoneToken(from: start)
    }

    private mutating func timeAfterT() -> Bool {
        let digits = digitCount
        if byte(digits) == UInt8(ascii: ":") { return timeToken() }
        guard let hour = number(2...2) else { return false }
        guard digits > 2 else { return setTime(hour, 0, 0, 0) }
        guard let minute = number(2...2) else { return false }
        guard digits > 4 else { return setTime(hour, minute, 0, 0) }
        guard digits == 6, let second = number(2...2), let millisecond = fraction() else { return false }
        return setTime(hour, minute, second, millisecond)
    }

    /// `Z`, `UTC`, `GMT+2`, `EST`, `Europe/Berlin`.
    private mutating func zoneToken(from start: Int) -> Bool {
        let word = UnsafeRawBufferPointer(rebasing: text[start..<position])
        if word.elementsEqual("Z".utf8) || word.elementsEqual("z".utf8) { return setZone(.utc) }
        if word.elementsEqual("UTC".utf8) || word.elementsEqual("GMT".utf8) {
            guard byte() == UInt8(ascii: "+") || byte() == UInt8(ascii: "-"), isDigit(1) else { return setZone(.utc) }
            let isNegative = byte() == UInt8(ascii: "-")
            position += 1
            return offset(isNegative: isNegative)
        }
        if let hours = Self.americanHours(word) { return setZone(.fixed(hours * 3_600_000)) }
        while position < text.count, isLetter() || isDigit() || "/_+-".utf8.contains(text[position]) { position += 1 }
        guard let zone = TimeZone.named(UnsafeRawBufferPointer(rebasing: text[start..<position])) else { return false }
        return setZone(zone)
    }

    /// The zones that RFC 822 names, other than UTC.
    private static func americanHours(_ word: UnsafeRawBufferPointer) -> Int64? {
        guard word.count == 3, word[2] == UInt8(ascii: "T") else { return nil }
        let base: Int64
        switch word[0] {
        case UInt8(ascii: "E"): base = -5
        case UInt8(ascii: "C"): base = -6
        case UInt8(ascii: "M"): base = -7
        case UInt8(ascii: "P"): base = -8
        default: return nil
        }
        switch word[1] {
        case UInt8(ascii: "S"): return base
        case UInt8(ascii: "D"): return base + 1
        default: return nil
        }
    }
}
