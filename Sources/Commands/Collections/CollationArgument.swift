internal import BSON
internal import CommandModel

extension Argument {
    /// The rules for the fields of a collation, whatever then becomes of it.
    ///
    /// - Returns: whether it is the simple one, which compares bytes.
    func validateCollation() throws(CommandError) -> Bool {
        var locale: String?
        var strength: Int64 = 3
        var hasCaseLevel = false
        var hasCaseFirst = false
        try forEachField(named: "collation") { option throws(CommandError) in
            switch option.key {
            case "locale": locale = try option.string()
            // Null is no default here, unlike for the others.
            case "backwards": _ = try option.bool()
            case "strength", "caseLevel", "caseFirst", "normalization", "numericOrdering", "alternate", "maxVariable",
                "version":
                if option.isOmitted { return }
                switch option.key {
                case "strength": strength = try option.collationStrength()
                case "caseLevel": hasCaseLevel = try option.bool()
                case "caseFirst": hasCaseFirst = try option.word(of: ["upper", "lower", "off"]) != "off"
                case "alternate": _ = try option.word(of: ["non-ignorable", "shifted"])
                case "maxVariable": _ = try option.word(of: ["punct", "space"])
                case "version": try option.checkCollationVersion()
                default: _ = try option.bool()
                }
            default: throw option.unknownField()
            }
        }
        guard let locale else { throw .missingField("collation.locale") }
        guard Self.isLocale(locale) else {
            throw CommandError(.badValue, "Field 'locale' is invalid in: { locale: \"\(locale)\" }")
        }
        guard !hasCaseFirst || hasCaseLevel || strength >= 3 else {
            throw CommandError(
                .badValue, "'caseFirst' is invalid unless 'caseLevel' is on or 'strength' is greater than 2")
        }
        return locale == "simple"
    }

    private func collationStrength() throws(CommandError) -> Int64 {
        let strength = try integer()
        guard (1...5).contains(strength) else {
            throw CommandError(.badValue, "Field 'strength' must be an integer 1 through 5. Got: \(strength)")
        }
        return strength
    }

    private func checkCollationVersion() throws(CommandError) {
        guard try string() == "57.1" else {
            throw CommandError(
                ErrorCode(161, "IncompatibleCollationVersion"),
                "Requested collation version is not available; the version is 57.1")
        }
    }

    /// `simple`, or a language of two or three letters with what may follow it.
    private static func isLocale(_ locale: String) -> Bool {
        if locale == "simple" { return true }
        let language = locale.utf8.prefix { $0 != UInt8(ascii: "_") && $0 != UInt8(ascii: "@") }
        let isWord = language.allSatisfy { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
        return isWord && (2...3).contains(language.count)
    }
}
