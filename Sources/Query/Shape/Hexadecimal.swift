extension String {
    /// Two digits for each byte, in capitals.
    init(hexadecimal bytes: some Sequence<UInt8>) {
        let digits = Array("0123456789ABCDEF".utf8)
        self.init(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// The bytes that are spelled so; nil for what are no pairs of hexadecimal digits.
    var hexadecimalBytes: [UInt8]? {
        guard utf8.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        var high: UInt8?
        for character in self {
            guard let digit = character.hexDigitValue, character.isASCII else { return nil }
            if let first = high {
                bytes.append(first << 4 | UInt8(digit))
                high = nil
            } else {
                high = UInt8(digit)
            }
        }
        return bytes
    }
}
