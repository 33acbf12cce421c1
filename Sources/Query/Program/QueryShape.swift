package import BSON

/// What a command asks, without the values that it asks for: the names and the types of all its fields.
package enum QueryShape {
    /// 64 hexadecimal digits, the same for commands of one shape.
    package static func hash(of command: Document) -> String {
        var digits = ""
        for part in UInt8(0)..<4 {
            var digest = MD5()
            digest.append(part)
            command.withRaw { append($0, to: &digest, depth: 0) }
            let hexadecimal = String(UInt64(bitPattern: digest.finish()), radix: 16, uppercase: true)
            digits += String(repeating: "0", count: 16 - hexadecimal.utf8.count) + hexadecimal
        }
        return digits
    }

    /// More than any document may nest.
    private static let depthMax = 200

    private static func append(_ document: RawDocument, to digest: inout MD5, depth: Int) {
        guard depth < depthMax else { return }
        for field in document {
            digest.append(UnsafeRawBufferPointer(field.key.bytes))
            digest.append(field.value.type.rawValue)
            if let inner = field.value.document ?? field.value.array { append(inner, to: &digest, depth: depth + 1) }
            // A field's name cannot hold it.
            digest.append(UInt8(0))
        }
    }
}
