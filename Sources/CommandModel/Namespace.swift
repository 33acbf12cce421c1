/// A database name and a collection name.
///
/// Two names are one only when they are the same bytes. Swift's own equality of strings is that of what is seen: "café"
/// with one scalar for the é and with two would share a table.
package struct Namespace: Sendable, Hashable {
    package let database: String
    package let collection: String

    package init(database: String, collection: String) {
        self.database = database
        self.collection = collection
    }

    package static func == (left: Namespace, right: Namespace) -> Bool {
        left.database.utf8.elementsEqual(right.database.utf8)
            && left.collection.utf8.elementsEqual(right.collection.utf8)
    }

    package func hash(into hasher: inout Hasher) {
        Self.combine(database, into: &hasher)
        hasher.combine(UInt8(0))
        Self.combine(collection, into: &hasher)
    }

    private static func combine(_ name: String, into hasher: inout Hasher) {
        let isContiguous: Void? = name.utf8.withContiguousStorageIfAvailable {
            hasher.combine(bytes: UnsafeRawBufferPointer($0))
        }
        if isContiguous == nil { name.utf8.forEach { hasher.combine($0) } }
    }

    /// Checks both names as MongoDB does.
    ///
    /// - Throws: InvalidNamespace (73).
    package static func validated(database: String, collection: String) throws(CommandError) -> Namespace {
        try validate(database: database)
        let namespace = Namespace(database: database, collection: collection)
        guard !collection.isEmpty else {
            throw CommandError(.invalidNamespace, "Invalid namespace specified '\(database).'")
        }
        guard collection.utf8.first != UInt8(ascii: "."), !collection.utf8.contains(0),
            !collection.hasPrefix("$") || collection.hasPrefix(cursorPrefix)
        else {
            throw CommandError(.invalidNamespace, "Invalid namespace specified '\(namespace)'")
        }
        return namespace
    }

    /// The further rules for a collection that is to come into being.
    package func validateForCreation() throws(CommandError) {
        guard !collection.utf8.contains(UInt8(ascii: "$")) else {
            throw CommandError(.invalidNamespace, "Invalid collection name: \(collection)")
        }
        guard description.utf8.count <= Self.lengthMax else {
            throw CommandError(
                .invalidNamespace,
                "Fully qualified namespace is too long. Namespace: \(self) Max: \(Self.lengthMax)")
        }
    }

    package static func validate(database: String) throws(CommandError) {
        let allowed = !database.isEmpty && database.utf8.count < 64
        guard allowed, !database.utf8.contains(where: Self.isForbiddenInDatabase) else {
            throw CommandError(.invalidNamespace, "Invalid database name: '\(database)'")
        }
    }

    /// What cursors over something else than a collection are named after: `$cmd.listCollections`.
    private static let cursorPrefix = "$cmd."

    /// Bytes of `database.collection` that MongoDB allows.
    package static let lengthMax = 255

    private static func isForbiddenInDatabase(_ byte: UInt8) -> Bool {
        switch byte {
        case 0, UInt8(ascii: "/"), UInt8(ascii: "\\"), UInt8(ascii: "."), UInt8(ascii: " "), UInt8(ascii: "\""),
            UInt8(ascii: "$"):
            true
        default: false
        }
    }
}

extension Namespace: CustomStringConvertible {
    package var description: String { "\(database).\(collection)" }
}
