import BSON
import CommandModel
import Testing

@testable import Access

@Suite("Addresses that logins come from")
struct AddressTests {
    @Test(
        "ranges hold what they say",
        arguments: [
            ("10.0.0.0/8", "10.255.1.2", true), ("10.0.0.0/8", "11.0.0.1", false), ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false), ("0.0.0.0/0", "8.8.8.8", true), ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true), ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false), ("::1", "::1", true), ("192.168.1.128/25", "192.168.1.127", false),
            ("192.168.1.128/25", "192.168.1.200", true), ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("10.0.0.7/30", "10.0.0.4", true),
        ])
    func ranges(range: String, address: String, expected: Bool) throws {
        let address = try #require(NetworkAddress(address))
        #expect(try #require(AddressRange(range)).contains(address) == expected)
    }

    @Test(
        "what is no range is refused",
        arguments: [
            "", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0", "10.0.0.0/8/8",
            "localhost", "10.0.0.1\u{0}", "10.0.0.0/ 8", "1.2.3.4.5", "10.0.0.0/٨",
        ])
    func refused(text: String) { #expect(AddressRange(text) == nil) }

    @Test("one entry is enough, and all of it must hold")
    func restrictions() throws {
        let document = try Document(
            extendedJSON: """
                {"r": [{"clientSource": ["10.0.0.0/8"], "serverAddress": ["10.1.1.1"]}, {"clientSource": ["::1"]}]}
                """)
        let restrictions = try document.withRaw { raw throws(CommandError) in
            try raw["r"].map { value throws(CommandError) in try AuthenticationRestrictions(value) }
        }
        func allows(_ client: String?, _ server: String?) -> Bool? {
            restrictions?.allow(
                client: client.flatMap(NetworkAddress.init), server: server.flatMap(NetworkAddress.init))
        }
        #expect(allows("10.2.3.4", "10.1.1.1") == true)
        #expect(allows("10.2.3.4", "10.1.1.2") == false)
        #expect(allows("::1", nil) == true)
        #expect(allows(nil, "10.1.1.1") == false)
        #expect(AuthenticationRestrictions().allow(client: nil, server: nil))
    }

    @Test("loopback and networks")
    func networks() throws {
        for text in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            #expect(try #require(NetworkAddress(text)).isLoopback)
        }
        for text in ["10.0.0.1", "::2", "fe80::1", "0.0.0.0", "::"] {
            #expect(try !#require(NetworkAddress(text)).isLoopback)
        }
        #expect(NetworkAddress("2001:db8::1")?.network == NetworkAddress("2001:db8::2:1")?.network)
        #expect(NetworkAddress("2001:db8::1")?.network != NetworkAddress("2001:db8:0:1::1")?.network)
        #expect(NetworkAddress("10.0.0.1")?.network != NetworkAddress("10.0.0.2")?.network)
    }

    @Test("what a client calls itself cannot break the log")
    func log() {
        let name = UserName("a\nb\u{1B}[31m\u{202E}c\u{0}", in: "admin").forLog
        #expect(name == "a\u{FFFD}b\u{FFFD}[31m\u{FFFD}c\u{FFFD}@admin")
        #expect(UserName(String(repeating: "x", count: 10_000), in: "admin").forLog.count == 128)
    }
}
