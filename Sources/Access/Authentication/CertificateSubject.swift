/// The name in a certificate, as RFC 2253 writes it: `CN=client,OU=Drivers,O=Example`. By it a client is known that
/// logs in by its certificate.
///
/// Reads just as much of the certificate (X.509, in DER) as leads to the subject. Whether the certificate is genuine is
/// no matter here: TLS has checked that.
package enum CertificateSubject {
    /// Nil when the bytes are no certificate, or its name is empty or too long.
    package static func name(ofDER bytes: [UInt8]) -> String? {
        var certificate = DERReader(bytes[...])
        guard var body = certificate.enter(.sequence), var fields = body.enter(.sequence) else { return nil }
        // The version is not always there. Then: serial number, algorithm, issuer, validity, subject.
        if fields.nextTag == DERReader.versionTag { _ = fields.next() }
        for _ in 0..<4 where fields.next() == nil { return nil }
        guard var subject = fields.enter(.sequence) else { return nil }
        var parts: [String] = []
        while !subject.isAtEnd {
            guard let part = part(of: &subject), parts.count < partsMax else { return nil }
            parts.append(part)
        }
        let name = parts.reversed().joined(separator: ",")
        return name.isEmpty || name.utf8.count > PrincipalName.lengthMax ? nil : name
    }

    private static let partsMax = 100

    /// Attributes that stand beside each other, mostly one.
    private static func part(of subject: inout DERReader) -> String? {
        guard var set = subject.enter(.set) else { return nil }
        var attributes: [String] = []
        while !set.isAtEnd {
            guard var attribute = set.enter(.sequence), let (tag, kind) = attribute.next(), tag == .objectIdentifier,
                let (type, value) = attribute.next(), attributes.count < partsMax
            else { return nil }
            attributes.append("\(shortName(of: Array(kind)))=\(text(type, Array(value)))")
        }
        return attributes.isEmpty ? nil : attributes.reversed().joined(separator: "+")
    }

    /// RFC 2253, section 2.3, and the names that OpenSSL has beside those.
    private static func shortName(of identifier: [UInt8]) -> String {
        if identifier.count == 3, identifier.starts(with: [0x55, 0x04]), let name = attributeNames[identifier[2]] {
            return name
        }
        switch identifier {
        case [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x01]: return "emailAddress"
        case [0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 0x01, 0x01]: return "UID"
        case [0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 0x01, 0x19]: return "DC"
        default: return "OID." + identifier.map { hexadecimal($0) }.joined()
        }
    }

    /// Of 2.5.4.x.
    private static let attributeNames: [UInt8: String] = [
        3: "CN", 4: "SN", 5: "serialNumber", 6: "C", 7: "L", 8: "ST", 9: "street", 10: "O", 11: "OU", 12: "title",
        42: "GN",
    ]

    /// What is no text in UTF-8 or one of its parts is written as its bytes.
    private static func text(_ type: DERReader.Tag, _ value: [UInt8]) -> String {
        guard [.utf8String, .printableString, .ia5String].contains(type),
            String(validating: value, as: UTF8.self) != nil
        else { return "#" + ([type.rawValue] + value).map { hexadecimal($0) }.joined() }
        var text = ""
        for (index, byte) in value.enumerated() {
            let isAtEdge = index == 0 || index == value.count - 1
            switch byte {
            case 0x80..., ..<0x20, 0x7F: text += "\\" + hexadecimal(byte)
            case UInt8(ascii: ","), UInt8(ascii: "+"), UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "<"),
                UInt8(ascii: ">"), UInt8(ascii: ";"):
                text += "\\" + String(Unicode.Scalar(byte))
            case UInt8(ascii: " ") where isAtEdge: text += "\\ "
            case UInt8(ascii: "#") where index == 0: text += "\\#"
            default: text += String(Unicode.Scalar(byte))
            }
        }
        return text
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
    }
}

/// Steps over the elements of DER (ITU-T X.690), with lengths checked.
struct DERReader {
    struct Tag: Equatable, RawRepresentable {
        let rawValue: UInt8
        static let objectIdentifier = Tag(rawValue: 0x06)
        static let utf8String = Tag(rawValue: 0x0C)
        static let printableString = Tag(rawValue: 0x13)
        static let ia5String = Tag(rawValue: 0x16)
        static let sequence = Tag(rawValue: 0x30)
        static let set = Tag(rawValue: 0x31)
    }

    static let versionTag = Tag(rawValue: 0xA0)

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    var isAtEnd: Bool { rest.isEmpty }

    var nextTag: Tag? { rest.first.map(Tag.init) }

    mutating func enter(_ tag: Tag) -> DERReader? {
        guard nextTag == tag, let (_, value) = next() else { return nil }
        return DERReader(value)
    }

    /// The next element; nil at the end, and for what is no DER or has a tag or a length that no certificate has.
    mutating func next() -> (tag: Tag, value: ArraySlice<UInt8>)? {
        guard let tag = rest.popFirst(), tag & 0x1F != 0x1F, let first = rest.popFirst() else { return nil }
        var length = Int(first)
        if first >= 0x80 {
            let count = Int(first & 0x7F)
            guard (1...3).contains(count), rest.count >= count else { return nil }
            length = rest.prefix(count).reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(count)
        }
        guard rest.count >= length else { return nil }
        defer { rest = rest.dropFirst(length) }
        return (Tag(rawValue: tag), rest.prefix(length))
    }
}
