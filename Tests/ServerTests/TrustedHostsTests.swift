import NIOHTTP1
import Testing

@testable import Server

@Suite("Which hosts the admin listener's pages go by")
struct TrustedHostsTests {
    private static let hosts = TrustedHosts(["0.0.0.0", "box", "db.example.org:27017"])

    @Test(
        "addresses, localhost and the names of the server are admitted, with a port or without",
        arguments: [
            "127.0.0.1", "127.0.0.1:8017", "10.1.2.3:80", "[::1]", "[::1]:8017", "[fe80::1]:1", "localhost",
            "LocalHost:8017", "a.localhost:1", "box", "BOX:8017", "box.", "db.example.org", "db.example.org:8017",
        ])
    func admitted(_ host: String) {
        #expect(Self.hosts.admits(["host": host]))
    }

    @Test(
        "other names, and what is no host, are not",
        arguments: [
            "evil.example", "evil.example:8017", "127.0.0.1.evil.example", "localhost.evil.example", "xlocalhost",
            "box.evil.example", "127.0.0.1:80:80", "::1", "127.0.0.1 evil", "127.0.0.1:x", "[::1", "[box]", "", ":80",
            "0x7f000001", "127.1", "box\u{301}", "evil.example/127.0.0.1", "user@127.0.0.1",
            String(repeating: "a", count: 300),
        ])
    func refused(_ host: String) {
        #expect(!Self.hosts.admits(["host": host]))
    }

    @Test("a request without a host, or with two, is refused")
    func count() {
        #expect(!Self.hosts.admits([:]))
        #expect(!Self.hosts.admits(HTTPHeaders([("host", "localhost"), ("host", "localhost")])))
    }
}
