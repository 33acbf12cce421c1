import BSON
import CommandModel
import Testing

@testable import Query

/// A collator for a collation written as extended JSON; nil for the simple one.
func collator(_ text: String) throws -> Collator? {
    let wrapped = json(#"{"collation": \#(text)}"#)
    return try wrapped.withRaw { raw in
        let value = try #require(raw["collation"])
        let collation = try Collation(Argument(command: "test", key: RawKey("collation"), value: value))
        return try collation.map { try Collator.shared(for: $0) }
    }
}

@Suite struct CollationTests {
    @Test(
        "what is malformed is refused as MongoDB does",
        arguments: [
            (#"1"#, 14), (#"{}"#, 40_414), (#"{"strength": 2}"#, 40_414), (#"{"locale": 1}"#, 14),
            (#"{"locale": "en", "other": 1}"#, 40_415), (#"{"locale": "en", "strength": 0}"#, 2),
            (#"{"locale": "en", "strength": 6}"#, 2), (#"{"locale": "en", "strength": "3"}"#, 14),
            (#"{"locale": "en", "caseLevel": 1}"#, 14), (#"{"locale": "en", "caseFirst": "none"}"#, 2),
            (#"{"locale": "en", "caseFirst": true}"#, 14), (#"{"locale": "en", "alternate": "all"}"#, 2),
            (#"{"locale": "en", "maxVariable": "symbol"}"#, 2), (#"{"locale": "en", "normalization": "x"}"#, 14),
            (#"{"locale": "en", "backwards": null}"#, 14), (#"{"locale": "en", "version": 57}"#, 14),
            (#"{"locale": "en", "version": "72.1"}"#, 161),
            (#"{"locale": "en", "strength": 2, "caseFirst": "upper"}"#, 2),
        ])
    func refused(_ text: String, code: Int32) {
        #expect(errorCode { _ = try collator(text) } == code)
    }

    @Test(
        "locales that ICU has, spelled as ICU does",
        arguments: [
            "en", "en_US", "en_US_POSIX", "de@collation=phonebook", "zh_Hant", "sr_Latn", "fr_CA", "ar", "th", "vi",
        ])
    func known(_ locale: String) throws {
        #expect(try collator(#"{"locale": "\#(locale)"}"#)?.collation.locale == locale)
    }

    @Test(
        "other locales are refused",
        arguments: [
            "", "EN", "en_us", "en-US", "xx", "english", "en_XX", "root", "zh@collation=none", "invalid_locale_xyz",
            "en\\u0000", String(repeating: "e", count: 100_000), "en@" + String(repeating: "a=b;", count: 1_000),
        ])
    func unknown(_ locale: String) {
        #expect(errorCode { _ = try collator(#"{"locale": "\#(locale)"}"#) } == 2)
    }

    @Test("the simple locale is no collator, whatever else is said")
    func simple() throws {
        #expect(try collator(#"{"locale": "simple"}"#) == nil)
        #expect(try collator(#"{"locale": "simple", "strength": 1, "caseFirst": "upper"}"#) == nil)
    }

    @Test(
        "what is left out is the default of the locale",
        arguments: [
            (
                #"{"locale": "en"}"#,
                #"{"locale":"en","caseLevel":false,"caseFirst":"off","strength":3,"numericOrdering":false,"#
                    + #""alternate":"non-ignorable","maxVariable":"punct","normalization":false,"backwards":false,"#
                    + #""version":"57.1"}"#
            ),
            (
                #"{"locale": "fr_CA", "strength": 5.9, "maxVariable": "space", "caseLevel": null}"#,
                #"{"locale":"fr_CA","caseLevel":false,"caseFirst":"off","strength":5,"numericOrdering":false,"#
                    + #""alternate":"non-ignorable","maxVariable":"space","normalization":false,"backwards":true,"#
                    + #""version":"57.1"}"#
            ),
            (
                #"{"locale": "da", "numericOrdering": true, "alternate": "shifted", "normalization": true}"#,
                #"{"locale":"da","caseLevel":false,"caseFirst":"upper","strength":3,"numericOrdering":true,"#
                    + #""alternate":"shifted","maxVariable":"punct","normalization":true,"backwards":false,"#
                    + #""version":"57.1"}"#
            ),
            (
                #"{"locale": "th", "backwards": true, "caseLevel": true, "caseFirst": "lower", "strength": 1}"#,
                #"{"locale":"th","caseLevel":true,"caseFirst":"lower","strength":1,"numericOrdering":false,"#
                    + #""alternate":"shifted","maxVariable":"punct","normalization":true,"backwards":true,"#
                    + #""version":"57.1"}"#
            ),
        ])
    func completed(_ text: String, document: String) throws {
        let first = try #require(try collator(text))
        #expect(first.collation.document.text == document)
        // What is stored gives the same collation again.
        #expect(try collator(document)?.collation == first.collation)
    }

    @Test("commands with one collation share a collator, and more collations than are kept do no harm")
    func shared() throws {
        let first = try #require(try collator(#"{"locale": "en", "strength": 2}"#))
        #expect(try collator(#"{"strength": 2, "locale": "en"}"#) === first)
        for locale in ["de", "fr", "sv", "da", "ja", "zh", "es", "it", "pl", "cs"] {
            for strength in 1...5 {
                for options in ["", #", "numericOrdering": true"#, #", "backwards": true"#] {
                    _ = try collator(#"{"locale": "\#(locale)", "strength": \#(strength)\#(options)}"#)
                }
            }
        }
        #expect(first.compare("a", "A") == 0)
    }

    @Test("threads may share a collator")
    func threads() async throws {
        let shared = try #require(try collator(#"{"locale": "fr_CA", "strength": 2}"#))
        let differing = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    (0..<2_000).count { number in
                        shared.compare("c\u{f4}te\(number)", "cot\u{e9}\(number)") >= 0
                            || shared.key("\(number)A") != shared.key("\(number)a")
                    }
                }
            }
            return await group.reduce(0, +)
        }
        #expect(differing == 0)
    }
}

extension Collator {
    func compare(_ left: String, _ right: String) -> Int {
        Array(left.utf8).withUnsafeBytes { left in
            Array(right.utf8).withUnsafeBytes { right in compare(left, right).signum() }
        }
    }

    func key(_ text: String) -> [UInt8] {
        var key: [UInt8] = []
        Array(text.utf8).withUnsafeBytes { appendKey(of: $0, to: &key) }
        return key
    }
}
