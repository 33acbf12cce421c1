/// Bytes as hexadecimal digits, and back.
enum Hexadecimal {
    static func lowercase(_ digit: UInt8) -> UInt8 { digit < 10 ? 48 + digit : 87 + digit }
    private static func uppercase(_ digit: UInt8) -> UInt8 { digit < 10 ? 48 + digit : 55 + digit }

    /// Of a digit in either case; nil for another character.
    @inline(__always)
    static func value(_ character: UInt8) -> UInt8? {
        switch character {
        case 48...57: character - 48
        case 65...70: character - 55
        case 97...102: character - 87
        default: nil
        }
    }

    /// Large letters. `target` is twice as long.
    static func encode(_ data: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) {
        for (index, byte) in data.enumerated() {
            target[2 * index] = uppercase(byte >> 4)
            target[2 * index + 1] = uppercase(byte & 15)
        }
    }

    /// `target` is at least half as long.
    static func decode(_ text: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Bool {
        for index in 0..<text.count / 2 {
            guard let high = value(text[2 * index]), let low = value(text[2 * index + 1]) else { return false }
            target[index] = high << 4 | low
        }
        return true
    }

    /// The 36 characters of a UUID into 16 bytes.
    static func decodeUUID(_ text: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Bool {
        var position = 0
        for index in 0..<16 {
            if [4, 6, 8, 10].contains(index) {
                guard text[position] == UInt8(ascii: "-") else { return false }
                position += 1
            }
            guard let high = value(text[position]), let low = value(text[position + 1]) else { return false }
            target[index] = high << 4 | low
            position += 2
        }
        return true
    }
}

/// Base64 with either alphabet (RFC 4648, sections 4 and 5), from and to memory.
enum Base64Text {
    private static let pad = UInt8(ascii: "=")

    /// Padded, unless it is for a URL. `target` is as long as the result.
    static func encode(_ data: UnsafeRawBufferPointer, isURL: Bool, into target: UnsafeMutableRawBufferPointer) {
        var position = 0
        for start in stride(from: 0, to: data.count, by: 3) {
            let count = min(3, data.count - start)
            var group: UInt32 = 0
            for index in 0..<3 { group = group << 8 | (index < count ? UInt32(data[start + index]) : 0) }
            for index in 0..<4 where position < target.count {
                let digit = UInt8(truncatingIfNeeded: group >> UInt32(18 - 6 * index) & 63)
                target[position] = index <= count ? character(digit, isURL) : pad
                position += 1
            }
        }
    }

    /// The digits before the padding; nil where it is not right. Text for a URL may go without.
    static func digits(of text: UnsafeRawBufferPointer, isURL: Bool) -> UnsafeRawBufferPointer? {
        let padding = text.suffix(2).reversed().prefix { $0 == pad }.count
        let count = text.count - padding
        guard count % 4 != 1, text.count % 4 == 0 || (isURL && padding == 0) else { return nil }
        return UnsafeRawBufferPointer(rebasing: text[..<count])
    }

    static func decode(
        _ digits: UnsafeRawBufferPointer, isURL: Bool, into target: UnsafeMutableRawBufferPointer
    ) -> Bool {
        var (bits, bitCount, position): (UInt32, Int, Int) = (0, 0, 0)
        for digit in digits {
            guard let value = value(digit, isURL) else { return false }
            bits = bits << 6 | UInt32(value)
            bitCount += 6
            guard bitCount >= 8 else { continue }
            bitCount -= 8
            target[position] = UInt8(truncatingIfNeeded: bits >> UInt32(bitCount))
            position += 1
        }
        return true
    }

    private static func character(_ digit: UInt8, _ isURL: Bool) -> UInt8 {
        switch digit {
        case 0...25: 65 + digit
        case 26...51: 71 + digit
        case 52...61: digit - 4
        case 62: UInt8(ascii: isURL ? "-" : "+")
        default: UInt8(ascii: isURL ? "_" : "/")
        }
    }

    private static func value(_ character: UInt8, _ isURL: Bool) -> UInt8? {
        switch character {
        case 65...90: character - 65
        case 97...122: character - 71
        case 48...57: character + 4
        case UInt8(ascii: isURL ? "-" : "+"): 62
        case UInt8(ascii: isURL ? "_" : "/"): 63
        default: nil
        }
    }
}
