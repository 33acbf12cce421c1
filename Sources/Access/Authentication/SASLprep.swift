internal import CICU

/// The text has no prepared form.
package enum SASLprepFailure: Error, Sendable, Equatable {
    /// It holds a character that is forbidden or unassigned, or mixes directions of writing.
    case prohibited
    case tooLong
}

/// Makes one password of all the ways to type it (RFC 4013): compatibility forms are folded, what is invisible goes.
package enum SASLprep {
    /// Bytes of UTF-8.
    package static let lengthMax = 4_096

    package static func prepared(_ text: String) throws(SASLprepFailure) -> String {
        var units = Array(text.utf16)
        guard text.utf8.count <= lengthMax else { throw .tooLong }
        guard !units.isEmpty else { return "" }
        // A character may become eighteen (U+FDFA).
        var output = [UInt16](repeating: 0, count: units.count * 18)
        let count = cicu_saslprep(&units, Int32(units.count), &output, Int32(output.count))
        guard count >= 0, count <= output.count else { throw .prohibited }
        return String(decoding: output[..<Int(count)], as: UTF16.self)
    }
}
