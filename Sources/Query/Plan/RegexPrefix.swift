internal import BSON

/// The text with which everything begins that a regular expression matches.
struct RegexPrefix {
    private(set) var bytes: [UInt8] = []
    /// Everything that begins so matches.
    private(set) var isExact = false

    /// What this is not sure of ends the prefix.
    init(pattern: UnsafeRawBufferPointer, options: UnsafeRawBufferPointer) {
        // With `m` a line may begin anywhere, `i` has many spellings, `x` leaves blanks out.
        guard options.allSatisfy({ $0 == UInt8(ascii: "s") || $0 == UInt8(ascii: "u") }) else { return }
        guard pattern.first == UInt8(ascii: "^"), !pattern.contains(UInt8(ascii: "|")) else { return }
        var rest = UnsafeRawBufferPointer(rebasing: pattern.dropFirst())
        while let (character, length) = Self.literal(rest) {
            let behind = UnsafeRawBufferPointer(rebasing: rest.dropFirst(length))
            if let next = behind.first, Self.makesOptional(next) { return }
            bytes += character
            rest = behind
            // One is there, how many more is open.
            if rest.first == UInt8(ascii: "+") { return }
        }
        isExact = rest.isEmpty || rest.elementsEqual(".*".utf8)
    }

    private static func makesOptional(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "{"): true
        default: false
        }
    }

    /// The character that the pattern goes on with, and how many bytes of the pattern it takes.
    private static func literal(_ pattern: UnsafeRawBufferPointer) -> (character: [UInt8], length: Int)? {
        guard let first = pattern.first else { return nil }
        if first == UInt8(ascii: "\\") {
            guard pattern.count > 1, isPunctuation(pattern[1]) else { return nil }
            return ([pattern[1]], 2)
        }
        guard first > 1, !isSpecial(first) else { return nil }
        let length = pattern.end(ofCodePoint: 0)
        return length > 0 && length <= pattern.count ? (Array(pattern[..<length]), length) : nil
    }

    private static func isPunctuation(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "!")...UInt8(ascii: "/"), UInt8(ascii: ":")...UInt8(ascii: "@"),
            UInt8(ascii: "[")...UInt8(ascii: "`"), UInt8(ascii: "{")...UInt8(ascii: "~"):
            true
        default: false
        }
    }

    private static func isSpecial(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "."), UInt8(ascii: "["), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "*"),
            UInt8(ascii: "+"), UInt8(ascii: "?"), UInt8(ascii: "{"), UInt8(ascii: "^"), UInt8(ascii: "$"),
            UInt8(ascii: "|"):
            true
        default: false
        }
    }
}
