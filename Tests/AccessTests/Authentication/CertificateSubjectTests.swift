import BSON
import Testing

@testable import Access

/// Made by `openssl req -x509` for these tests; the names are what `openssl x509 -subject -nameopt RFC2253` prints.
private let escaped =
    "MIICVDCCAfmgAwIBAgIUatYnylwJ9ebJPckuHHWk72VPmSQwCgYIKoZIzj0EAwIwfjELMAkGA1UEBhMCSVMxEzARBgNVBAgMClJl"
    + "eWtqYXbDrWsxFzAVBgNVBAoMDkV4LCBhbXBsZSAiQ28iMREwDwYDVQQLDAgjRHJpdmVyczESMBAGA1UEAwwJIGNsPWllbnQ7MRow"
    + "GAYJKoZIhvcNAQkBFgthQGIuZXhhbXBsZTAgFw0yNjExMjExNzI3MzBaGA8yMTI2MTAyODE3MjczMFowfjELMAkGA1UEBhMCSVMx"
    + "EzARBgNVBAgMClJleWtqYXbDrWsxFzAVBgNVBAoMDkV4LCBhbXBsZSAiQ28iMREwDwYDVQQLDAgjRHJpdmVyczESMBAGA1UEAwwJ"
    + "IGNsPWllbnQ7MRowGAYJKoZIhvcNAQkBFgthQGIuZXhhbXBsZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABEqlRGOFXZsIuvAY"
    + "A3pWK4AzqaVuogNqIjEWHRh+ETbKSPFoC80UpNnU1h1QNN09Scyw1BR5hHF6mZtvkVKors+jUzBRMB0GA1UdDgQWBBSCyuP93M/h"
    + "VndIbGPgVmUqeEUR1TAfBgNVHSMEGDAWgBSCyuP93M/hVndIbGPgVmUqeEUR1TAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMC"
    + "A0kAMEYCIQCHjVv81aYc3F65cSXfJNDVttqo5YWxjsZPFU2U+DQbsAIhALvjqkJ9sg4mC6rvHgIBIKZwU4iVNSqmMV/nAYzUAYqZ"
private let manyParts =
    "MIICXDCCAgGgAwIBAgIUCW3z6Sw0NH5+qkaHJMWjJpUICYwwCgYIKoZIzj0EAwIwgYExFzAVBgoJkiaJk/IsZAEZFgdleGFtcGxl"
    + "MRMwEQYKCZImiZPyLGQBGRYDb3JnMRkwCAYDVQQLDAFhMA0GA1UEAwwGY2xpZW50MRIwEAYKCZImiZPyLGQBAQwCNDIxCjAIBgNV"
    + "BCoMAXgxCjAIBgNVBAwMAXkxCjAIBgNVBAUTATcwIBcNMjYxMTIxMTcyNzMyWhgPMjEyNjEwMjgxNzI3MzJaMIGBMRcwFQYKCZIm"
    + "iZPyLGQBGRYHZXhhbXBsZTETMBEGCgmSJomT8ixkARkWA29yZzEZMAgGA1UECwwBYTANBgNVBAMMBmNsaWVudDESMBAGCgmSJomT"
    + "8ixkAQEMAjQyMQowCAYDVQQqDAF4MQowCAYDVQQMDAF5MQowCAYDVQQFEwE3MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1FJL"
    + "5WC+W8LElZVtFQcf8vsn9BbT+peFeS8VLpB9pO7n6eWvZMpzZwWwHLm25JCuSjqQSWkvCy5I93/fReynQaNTMFEwHQYDVR0OBBYE"
    + "FLrTF64Z7oJ4UEo+QeyiKkDq99M4MB8GA1UdIwQYMBaAFLrTF64Z7oJ4UEo+QeyiKkDq99M4MA8GA1UdEwEB/wQFMAMBAf8wCgYI"
    + "KoZIzj0EAwIDSQAwRgIhALShjdPt8cXfZtynxshOCKt8GVfN0jXaKQlJQFNEFNZgAiEA60hDYcnkx2ju7Q9JnJkBo/BfOILcIvXC"
    + "KhNbrb1/zZI="

@Suite("Names in certificates")
struct CertificateSubjectTests {
    @Test(
        "the name is the one that drivers are told to send",
        arguments: [
            (
                escaped,
                ##"emailAddress=a@b.example,CN=\ cl=ient\;,OU=\#Drivers,O=Ex\, ample \"Co\","##
                    + #"ST=Reykjav\C3\ADk,C=IS"#
            ),
            (manyParts, "serialNumber=7,title=y,GN=x,UID=42,CN=client+OU=a,DC=org,DC=example"),
        ])
    func names(certificate: String, name: String) throws {
        let bytes = try #require(Base64.decode(certificate))
        #expect(CertificateSubject.name(ofDER: bytes) == name)
    }

    @Test("a certificate that is cut anywhere, or damaged, has no name or another one, and ends nothing")
    func damaged() throws {
        let bytes = try #require(Base64.decode(manyParts))
        for count in 0..<bytes.count { #expect(CertificateSubject.name(ofDER: Array(bytes.prefix(count))) == nil) }
        for index in bytes.indices {
            for value: UInt8 in [0, 1, 0x7F, 0x80, 0x84, 0xFF] {
                var damaged = bytes
                damaged[index] = value
                _ = CertificateSubject.name(ofDER: damaged)
            }
        }
    }
}

@Suite("Passwords sent as they are")
struct PlainLoginTests {
    private func login(_ text: String) throws -> PlainLogin { try PlainLogin(Array(text.utf8)) }

    @Test("the password is compared with the keys that are kept", arguments: ScramMechanism.allCases)
    func password(mechanism: ScramMechanism) throws {
        let credentials = ScramCredentials(
            try PreparedPassword("I\u{AD}X", of: "user", for: mechanism), mechanism: mechanism, salt: [1, 2, 3],
            iterations: 4_096)
        #expect(try login("\0user\0I\u{AD}X").isPassword(of: credentials))
        #expect(try login("user\0user\0I\u{AD}X").user == "user")
        #expect(try !login("\0user\0ix").isPassword(of: credentials))
        #expect(try !login("\0user\0\u{7}").isPassword(of: credentials))
    }

    @Test(
        "messages that are none are refused",
        arguments: ["", "user", "\0user", "\0\0password", "\0user\0", "root\0user\0password", "\0user\0a\0b"])
    func malformed(message: String) {
        #expect(throws: ScramFailure.self) { try login(message) }
    }
}
