package import BSON

/// The compressors of OP_COMPRESSED, by their number on the wire.
package enum Compressor: UInt8, Sendable {
    /// Not compressed at all. Accepted, never offered: it serves the tests of drivers.
    case noop = 0
    case snappy = 1
    case zlib = 2
    case zstd = 3

    /// The name in the `compression` field of `hello`.
    package var name: String {
        switch self {
        case .noop: "noop"
        case .snappy: "snappy"
        case .zlib: "zlib"
        case .zstd: "zstd"
        }
    }

    package static let offered: [Compressor] = [.snappy, .zstd, .zlib]

    /// What both sides know, in the order of the client, who uses the first.
    package static func negotiated(with names: some Sequence<String>) -> [Compressor] {
        names.compactMap { name in offered.first { $0.name == name } }
    }

    /// Whether a message of this command may be compressed. Those that carry secrets may not: the compressed length
    /// would tell about them.
    ///
    /// Source: https://github.com/mongodb/specifications/blob/master/source/compression/OP_COMPRESSED.md
    package static func mayCompress(command: RawKey) -> Bool {
        switch command {
        case "hello", "isMaster", "ismaster", "saslStart", "saslContinue", "getnonce", "authenticate", "createUser",
            "updateUser", "copydbSaslStart", "copydbgetnonce", "copydb":
            false
        default: true
        }
    }
}
