import Testing

@testable import Access

@Suite("SASLprep")
struct SASLprepTests {
    @Test(
        "the examples of RFC 4013, section 3, and passwords of many scripts",
        arguments: [
            ("I\u{AD}X", "IX"), ("user", "user"), ("USER", "USER"), ("\u{AA}", "a"), ("\u{2168}", "IX"),
            ("a\u{A0}b", "a b"), ("e\u{301}", "\u{E9}"), ("\u{FB01}", "fi"), ("пароль", "пароль"), ("密码", "密码"),
            ("", ""),
            ("\u{FDFA}", "صلى الله عليه وسلم"), ("\u{627}1\u{628}", "\u{627}1\u{628}"),
        ])
    func prepared(text: String, expected: String) throws {
        #expect(try SASLprep.prepared(text).utf8.elementsEqual(expected.utf8))
    }

    @Test(
        "what is forbidden is refused",
        arguments: [
            "\u{7}", "\u{627}1", "a\u{0}b", "\u{200E}", "\u{E000}", "\u{FFFD}", "\u{221}", "\u{E0001}", "\u{10FFFF}",
        ])
    func prohibited(text: String) {
        #expect(throws: SASLprepFailure.prohibited) { try SASLprep.prepared(text) }
    }

    @Test("a text that is too long is refused before it is prepared")
    func tooLong() throws {
        let longest = String(repeating: "\u{FDFA}", count: SASLprep.lengthMax / 3)
        #expect(try SASLprep.prepared(longest).unicodeScalars.count == 18 * (SASLprep.lengthMax / 3))
        #expect(throws: SASLprepFailure.tooLong) {
            try SASLprep.prepared(String(repeating: "a", count: SASLprep.lengthMax + 1))
        }
    }

    @Test("passwords that are typed differently but mean the same have the same keys")
    func sameKeys() throws {
        func credentials(_ password: String) throws -> ScramCredentials {
            ScramCredentials(
                try PreparedPassword(password, of: "user", for: .sha256), mechanism: .sha256, salt: [1],
                iterations: 4_096)
        }
        #expect(try credentials("IX") == credentials("I\u{AD}X"))
        #expect(try credentials("IX") != credentials("ix"))
    }
}
