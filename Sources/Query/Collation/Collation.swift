package import BSON
package import CommandModel

/// How a language orders text, as a client describes it. What is left out is the default of the locale; in the
/// collation of a ``Collator`` nothing is left out.
package struct Collation: Sendable, Hashable {
    package enum CaseFirst: String, Sendable, CaseIterable { case upper, lower, off }
    package enum Alternate: String, Sendable, CaseIterable { case nonIgnorable = "non-ignorable", shifted }
    package enum MaxVariable: String, Sendable, CaseIterable { case punct, space }

    package private(set) var locale: String
    /// 1 to 5: base letters, accents, case, punctuation, all code points.
    package var strength: Int?
    package var caseLevel: Bool?
    package var caseFirst: CaseFirst?
    package var numericOrdering: Bool?
    package var alternate: Alternate?
    package var maxVariable: MaxVariable?
    package var normalization: Bool?
    package var backwards: Bool?

    /// The version that MongoDB gives to its collations, and clients compare with. The data are those of the ICU at
    /// hand.
    package static let version = "57.1"

    package init(locale: String) {
        self.locale = locale
    }

    /// As `create` stores it and `listCollections` shows it.
    package var document: Document {
        Document { builder in
            builder.append("locale", string: locale)
            if let caseLevel { builder.append("caseLevel", bool: caseLevel) }
            if let caseFirst { builder.append("caseFirst", string: caseFirst.rawValue) }
            if let strength { builder.append("strength", int32: Int32(strength)) }
            if let numericOrdering { builder.append("numericOrdering", bool: numericOrdering) }
            if let alternate { builder.append("alternate", string: alternate.rawValue) }
            if let maxVariable { builder.append("maxVariable", string: maxVariable.rawValue) }
            if let normalization { builder.append("normalization", bool: normalization) }
            if let backwards { builder.append("backwards", bool: backwards) }
            builder.append("version", string: Self.version)
        }
    }
}

// Reading what a client sends.
extension Collation {
    /// - Returns: nil for the locale "simple", which compares bytes, whatever else is said.
    /// - Throws: what MongoDB answers to a malformed collation. Whether ICU knows the locale is not asked here.
    package init?(_ argument: Argument) throws(CommandError) {
        guard let document = argument.value.document else { throw argument.wrongType(expected: "object") }
        var locale: String?
        var fields = Collation(locale: "")
        for field in document {
            let option = Argument(command: "collation", key: field.key, value: field.value)
            if option.key == "locale" { locale = try option.string() } else { try fields.take(option) }
        }
        guard let locale else { throw .missingField("collation.locale") }
        if locale == "simple" { return nil }
        try fields.checkCaseFirst()
        fields.locale = locale
        self = fields
    }

    private mutating func take(_ option: Argument) throws(CommandError) {
        switch option.key {
        case "strength": strength = try option.ifPresent(Argument.collationStrength)
        case "caseLevel": caseLevel = try option.ifPresent(Argument.bool)
        case "caseFirst": caseFirst = try option.ifPresent(Argument.word)
        case "numericOrdering": numericOrdering = try option.ifPresent(Argument.bool)
        case "alternate": alternate = try option.ifPresent(Argument.word)
        case "maxVariable": maxVariable = try option.ifPresent(Argument.word)
        case "normalization": normalization = try option.ifPresent(Argument.bool)
        // Null is no default here, unlike for the others.
        case "backwards": backwards = try option.bool()
        case "version": try option.ifPresent(Argument.checkCollationVersion)
        default: throw option.unknownField()
        }
    }

    private func checkCaseFirst() throws(CommandError) {
        guard let caseFirst, caseFirst != .off else { return }
        guard caseLevel == true || strength ?? 3 >= 3 else {
            throw CommandError(
                .badValue, "'caseFirst' is invalid unless 'caseLevel' is on or 'strength' is greater than 2")
        }
    }
}

extension Argument {
    /// The collation of a collection or an index, which must have a locale.
    ///
    /// - Returns: nil for the simple one, which compares bytes.
    package func collator() throws(CommandError) -> Collator? {
        try Collation(self).map { collation throws(CommandError) in try Collator.shared(for: collation) }
    }

    fileprivate func collationStrength() throws(CommandError) -> Int {
        let strength = try integer()
        guard (1...5).contains(strength) else {
            throw CommandError(.badValue, "Field 'strength' must be an integer 1 through 5. Got: \(strength)")
        }
        return Int(strength)
    }

    /// One of the words that are the cases of an enumeration.
    fileprivate func word<Words: RawRepresentable<String>>() throws(CommandError) -> Words {
        let word = try string()
        guard let value = Words(rawValue: word) else {
            throw CommandError(.badValue, "Enumeration value '\(word)' for field '\(name)' is not a valid value.")
        }
        return value
    }

    fileprivate func checkCollationVersion() throws(CommandError) {
        guard try string() == Collation.version else {
            throw CommandError(
                .incompatibleCollationVersion,
                "Requested collation version is not available; the version is \(Collation.version)")
        }
    }
}

extension ErrorCode {
    package static let incompatibleCollationVersion = ErrorCode(161, "IncompatibleCollationVersion")
}
