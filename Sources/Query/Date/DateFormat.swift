internal import BSON
internal import CommandModel

/// A format of dates: text with specifiers such as `%Y`.
struct DateFormat {
    private let text: UnsafeRawBufferPointer

    /// The longest that a specifier of two bytes is written as: `September`.
    private static let writtenMax = 9

    /// - Parameter isRead: for reading dates; some specifiers are for writing only.
    /// - Throws: 18536 for an unknown specifier, 18535 for one cut off.
    init(_ text: UnsafeRawBufferPointer, isRead: Bool) throws(CommandError) {
        self.text = text
        var isSpecifier = false
        for byte in text {
            if isSpecifier {
                guard Self.isKnown(byte), !isRead || byte != UInt8(ascii: "U") && byte != UInt8(ascii: "w") else {
                    let shown = String(decoding: CollectionOfOne(byte), as: UTF8.self)
                    throw CommandError(ErrorCode(18536), "Invalid format character '%\(shown)' in format string")
                }
                isSpecifier = false
            } else {
                isSpecifier = byte == UInt8(ascii: "%")
            }
        }
        guard !isSpecifier else {
            throw CommandError(ErrorCode(18535), "Unmatched '%' at end of format string")
        }
    }

    private static func isKnown(_ byte: UInt8) -> Bool {
        switch Unicode.Scalar(byte) {
        case "d", "G", "H", "j", "L", "m", "M", "S", "u", "U", "V", "w", "Y", "z", "Z", "%", "b", "B": true
        default: false
        }
    }

    /// `YYYY-MM-DDThh:mm:ss.mmm`, with a `Z` where the clocks show UTC.
    static let iso: StaticString = "%Y-%m-%dT%H:%M:%S.%L"
    static let isoUTC: StaticString = "%Y-%m-%dT%H:%M:%S.%LZ"
}

// Writing.
extension DateFormat {
    func write(_ instant: Int64, in zone: TimeZone, _ scratch: Scratch) throws(CommandError) -> RawValue {
        let offset = zone.offset(at: instant)
        let local = LocalTime(instant, offset: offset)
        let start = try scratch.allocate(text.count * Self.writtenMax)
        var writer = Writer(start: start)
        var isSpecifier = false
        for byte in text {
            if isSpecifier {
                try writer.write(Unicode.Scalar(byte), local, local.date, offset)
                isSpecifier = false
            } else if byte == UInt8(ascii: "%") {
                isSpecifier = true
            } else {
                writer.write(byte)
            }
        }
        return try scratch.string(UnsafeRawBufferPointer(start: start, count: writer.count))
    }

    private struct Writer {
        let start: UnsafeMutableRawPointer
        private(set) var count = 0

        init(start: UnsafeMutableRawPointer) { self.start = start }

        mutating func write(_ byte: UInt8) {
            start.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
            count += 1
        }

        private mutating func write(_ number: Int64, width: Int) {
            var rest = number
            for index in stride(from: width - 1, through: 0, by: -1) {
                let digit = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                start.storeBytes(of: digit, toByteOffset: count + index, as: UInt8.self)
                rest /= 10
            }
            count += width
        }

        private mutating func write(_ name: StaticString, _ length: Int) {
            for byte in UnsafeBufferPointer(start: name.utf8Start, count: min(length, name.utf8CodeUnitCount)) {
                write(byte)
            }
        }

        private mutating func write(year: Int64) throws(CommandError) {
            guard (0...9999).contains(year) else { throw DateText.yearOutOfRange }
            write(year, width: 4)
        }

        mutating func write(
            _ specifier: Unicode.Scalar, _ local: LocalTime, _ date: CivilDate, _ offset: Int64
        ) throws(CommandError) {
            switch specifier {
            case "Y": try write(year: date.year)
            case "G": try write(year: local.isoWeekYear)
            case "m": write(date.month, width: 2)
            case "d": write(date.day, width: 2)
            case "H": write(local.hour, width: 2)
            case "M": write(local.minute, width: 2)
            case "S": write(local.second, width: 2)
            case "L": write(local.millisecond, width: 3)
            case "j": write(local.dayOfYear, width: 3)
            case "u": write(local.isoDayOfWeek, width: 1)
            case "w": write(local.dayOfWeek, width: 1)
            case "U": write(local.week, width: 2)
            case "V": write(local.isoWeek, width: 2)
            case "b": write(CalendarNames.months[Int(date.month) - 1], 3)
            case "B": write(CalendarNames.months[Int(date.month) - 1], .max)
            case "z": writeOffset(offset / 60_000)
            case "Z": writeMinutes(offset / 60_000)
            default: write(UInt8(ascii: "%"))
            }
        }

        /// `+0530`.
        private mutating func writeOffset(_ minutes: Int64) {
            write(UInt8(ascii: minutes < 0 ? "-" : "+"))
            write(abs(minutes) / 60, width: abs(minutes) >= 6000 ? 3 : 2)
            write(abs(minutes) % 60, width: 2)
        }

        /// `-330`.
        private mutating func writeMinutes(_ minutes: Int64) {
            if minutes < 0 { write(UInt8(ascii: "-")) }
            let value = abs(minutes)
            write(value, width: value < 10 ? 1 : value < 100 ? 2 : value < 1000 ? 3 : 4)
        }
    }
}

// Reading.
extension DateFormat {
    /// What a text of this format says; nil if it is not of this format.
    func fields(_ input: UnsafeRawBufferPointer) -> DateFields? {
        var reader = Reader(input: input)
        var isSpecifier = false
        for byte in text {
            if isSpecifier {
                guard reader.read(Unicode.Scalar(byte)) else { return nil }
                isSpecifier = false
            } else if byte == UInt8(ascii: "%") {
                isSpecifier = true
            } else {
                guard reader.take(byte) else { return nil }
            }
        }
        return reader.finish()
    }

    private struct Reader {
        let input: UnsafeRawBufferPointer
        private var position = 0
        private var fields = DateFields()
        private var parts: (hour: Int64, minute: Int64, second: Int64, millisecond: Int64) = (0, 0, 0, 0)

        init(input: UnsafeRawBufferPointer) { self.input = input }

        func finish() -> DateFields? {
            guard position == input.count else { return nil }
            guard parts.hour <= 24, parts.minute <= 59, parts.second <= 59 else { return nil }
            var fields = fields
            fields.time = ((parts.hour * 60 + parts.minute) * 60 + parts.second) * 1000 + parts.millisecond
            return (fields.time ?? 0) <= LocalTime.dayMilliseconds ? fields : nil
        }

        mutating func take(_ byte: UInt8) -> Bool {
            guard position < input.count, input[position] == byte else { return false }
            position += 1
            return true
        }

        private mutating func number(_ count: ClosedRange<Int>) -> (value: Int64, count: Int)? {
            var value: Int64 = 0
            var taken = 0
            while taken < count.upperBound, position < input.count, (48...57).contains(input[position]) {
                value = value * 10 + Int64(input[position] - 48)
                position += 1
                taken += 1
            }
            return taken >= count.lowerBound ? (value, taken) : nil
        }

        private mutating func read(_ field: WritableKeyPath<DateFields, Int64?>, _ count: ClosedRange<Int>) -> Bool {
            guard let number = number(count) else { return false }
            fields[keyPath: field] = number.value
            return true
        }

        private mutating func name() -> Bool {
            let start = position
            while position < input.count, (97...122).contains(input[position] | 0x20) { position += 1 }
            fields.month = CalendarNames.index(of: input[start..<position], in: CalendarNames.months)
            return fields.month != nil
        }

        mutating func read(_ specifier: Unicode.Scalar) -> Bool {
            switch specifier {
            case "Y": return read(\.year, 4...4)
            case "m": return read(\.month, 1...2)
            case "d": return read(\.day, 1...2)
            case "j":
                // MongoDB counts from 0 here, and from 1 where it writes: what is written is read as the day after.
                guard read(\.dayOfYear, 1...3), let day = fields.dayOfYear else { return false }
                fields.dayOfYear = day + 1
                return true
            case "b", "B": return name()
            case "G": return read(\.isoWeekYear, 4...4)
            case "V": return read(\.isoWeek, 1...2) && (1...53).contains(fields.isoWeek ?? 0)
            case "u": return read(\.isoDayOfWeek, 1...1) && (1...7).contains(fields.isoDayOfWeek ?? 0)
            case "H": return number(1...2).map { parts.hour = $0.value } != nil
            case "M": return number(2...2).map { parts.minute = $0.value } != nil
            case "S": return number(2...2).map { parts.second = $0.value } != nil
            case "L": return milliseconds()
            case "z": return offset()
            case "Z": return minutes()
            default: return take(UInt8(ascii: "%"))
            }
        }

        private mutating func milliseconds() -> Bool {
            guard let number = number(1...3) else { return false }
            parts.millisecond = number.value * (number.count == 1 ? 100 : number.count == 2 ? 10 : 1)
            return true
        }

        private mutating func sign() -> Int64? {
            if take(UInt8(ascii: "+")) { return 1 }
            return take(UInt8(ascii: "-")) ? -1 : nil
        }

        /// `+0530`, `+05:30`, `+05`, `Z`.
        private mutating func offset() -> Bool {
            if take(UInt8(ascii: "Z")) {
                fields.zone = .utc
                return true
            }
            guard let sign = sign(), let hours = number(2...2) else { return false }
            let isColon = take(UInt8(ascii: ":"))
            let minutes = number(2...2)?.value
            guard minutes != nil || !isColon else { return false }
            fields.zone = .fixed(sign * (hours.value * 60 + (minutes ?? 0)) * 60_000)
            return true
        }

        /// `+330`.
        private mutating func minutes() -> Bool {
            let sign = sign() ?? 1
            guard let minutes = number(1...4) else { return false }
            fields.zone = .fixed(sign * minutes.value * 60_000)
            return true
        }
    }
}
