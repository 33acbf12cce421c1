package import BSON
package import CommandModel

/// From which addresses, and to which of the server's, somebody may log in: one of the entries must hold.
///
/// Source: https://www.mongodb.com/docs/manual/reference/command/createUser/ (authentication restrictions)
package struct AuthenticationRestrictions: Sendable, Equatable {
    private struct Entry: Sendable, Equatable {
        var clientSource: [AddressRange] = []
        var serverAddress: [AddressRange] = []
    }

    private var entries: [Entry] = []
    private static let rangesMax = 1_000

    package init() {}

    package var isEmpty: Bool { entries.isEmpty }

    /// - Throws: BadValue (2), TypeMismatch (14), 40415.
    package init(_ value: RawValue) throws(CommandError) {
        guard let array = value.array else {
            throw .wrongType("authenticationRestrictions", value, expected: "array")
        }
        var count = 0
        for element in array {
            var entry = Entry()
            let argument = Argument(command: "authenticationRestrictions", key: element.key, value: element.value)
            try argument.forEachField(named: "authenticationRestrictions") { field throws(CommandError) in
                switch field.key {
                case "clientSource": entry.clientSource = try Self.ranges(field)
                case "serverAddress": entry.serverAddress = try Self.ranges(field)
                default: throw field.unknownField()
                }
            }
            count += entry.clientSource.count + entry.serverAddress.count
            entries.append(entry)
        }
        guard count <= Self.rangesMax, entries.count <= Self.rangesMax else {
            throw CommandError(.badValue, "authenticationRestrictions may list \(Self.rangesMax) ranges of addresses")
        }
    }

    private static func ranges(_ field: Argument) throws(CommandError) -> [AddressRange] {
        var ranges: [AddressRange] = []
        for element in try field.array() {
            guard let text = element.value.string else {
                throw .wrongType("\(field.name).\(element.key.string)", element.value, expected: "string")
            }
            guard let range = AddressRange(text) else {
                throw CommandError(.badValue, "'\(text)' is neither an IP address nor a range in CIDR notation")
            }
            ranges.append(range)
        }
        guard !ranges.isEmpty else { throw CommandError(.badValue, "'\(field.name)' must not be empty") }
        return ranges
    }

    package func allow(client: NetworkAddress?, server: NetworkAddress?) -> Bool {
        entries.isEmpty
            || entries.contains { entry in
                Self.contain(entry.clientSource, client) && Self.contain(entry.serverAddress, server)
            }
    }

    private static func contain(_ ranges: [AddressRange], _ address: NetworkAddress?) -> Bool {
        guard !ranges.isEmpty else { return true }
        guard let address else { return false }
        return ranges.contains { $0.contains(address) }
    }

    package func write(into builder: inout DocumentBuilder) {
        builder.beginArray("authenticationRestrictions")
        for (index, entry) in entries.enumerated() {
            builder.beginDocument(index: index)
            Self.write("clientSource", entry.clientSource, &builder)
            Self.write("serverAddress", entry.serverAddress, &builder)
            builder.end()
        }
        builder.end()
    }

    private static func write(_ name: StaticString, _ ranges: [AddressRange], _ builder: inout DocumentBuilder) {
        guard !ranges.isEmpty else { return }
        builder.beginArray(name)
        for (index, range) in ranges.enumerated() { builder.append(index: index, string: range.text) }
        builder.end()
    }
}
