#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// An IP address: 16 bytes, those of version 4 as IPv6 maps them.
package struct NetworkAddress: Sendable, Hashable {
    let bytes: [UInt8]

    private static let mappedPrefix: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]

    /// Nil for what is no address in its usual notation.
    package init?(_ text: String) {
        guard text.utf8.count <= 45, !text.utf8.contains(0) else { return nil }
        if let bytes = Self.parsed(text, AF_INET, 4) {
            self.bytes = Self.mappedPrefix + bytes
        } else if let bytes = Self.parsed(text, AF_INET6, 16) {
            self.bytes = bytes
        } else {
            return nil
        }
    }

    private static func parsed(_ text: String, _ family: Int32, _ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return inet_pton(family, text, &bytes) == 1 ? bytes : nil
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    package var isVersion4: Bool { bytes.starts(with: Self.mappedPrefix) }

    package var isLoopback: Bool {
        isVersion4 ? bytes[12] == 127 : bytes == [UInt8](repeating: 0, count: 15) + [1]
    }

    /// What one person has at least: an address of version 4, a network of version 6.
    package var network: NetworkAddress {
        isVersion4 ? self : NetworkAddress(bytes: bytes.prefix(8) + [UInt8](repeating: 0, count: 8))
    }
}

/// Addresses that begin with the same bits.
struct AddressRange: Sendable, Equatable {
    /// As it was given.
    let text: String
    private let address: NetworkAddress
    private let prefixBits: Int

    /// `10.0.0.0/8`, `::1`
    init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = NetworkAddress(String(first)) else { return nil }
        let bitsMax = address.isVersion4 ? 32 : 128
        var bits = bitsMax
        if parts.count == 2 {
            guard parts[1].utf8.count <= 3, parts[1].utf8.allSatisfy({ (48...57).contains($0) }),
                let given = Int(parts[1]), given <= bitsMax
            else { return nil }
            bits = given
        }
        self.text = text
        self.address = address
        prefixBits = bits + 128 - bitsMax
    }

    func contains(_ other: NetworkAddress) -> Bool {
        for (index, (left, right)) in zip(address.bytes, other.bytes).enumerated() {
            let bits = min(8, max(0, prefixBits - 8 * index))
            let mask = UInt8(truncatingIfNeeded: 0xFF00 >> bits)
            guard left & mask == right & mask else { return false }
        }
        return true
    }
}
