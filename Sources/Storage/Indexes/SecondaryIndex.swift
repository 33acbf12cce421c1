package import BSON
package import CommandModel
internal import NIOCore
package import Query

/// A secondary index as the catalog has it.
package struct SecondaryIndex: Sendable {
    /// Of its table of keys.
    package let number: Int64
    package let definition: IndexDefinition
    package let facts: IndexFacts
    /// Whether it may be read, and is maintained by writers.
    package let isReady: Bool
    package let table: String
    package let usage: IndexUsage
    /// A document in which these top-level fields are the same has the same keys; nil where that depends on others.
    private let topLevelFields: [[UInt8]]?

    init(
        number: Int64, definition: IndexDefinition, facts: IndexFacts = IndexFacts(), isReady: Bool = true,
        usage: IndexUsage = IndexUsage()
    ) {
        self.number = number
        self.definition = definition
        self.facts = facts
        self.isReady = isReady
        table = "martlet.keys_\(number)"
        self.usage = usage
        topLevelFields = definition.topLevelFields
    }

    var statistics: IndexStatistics { usage.statistics }

    /// Whether a document may have several keys between two bounds.
    var mayRepeatDocuments: Bool { facts.isMultikey || definition.wildcardScope != nil || definition.isText }

    /// Whether both documents have the same keys, as far as can be seen without making them.
    func hasSameKeys(of old: RawDocument, and new: RawDocument) -> Bool {
        guard let topLevelFields else { return false }
        return topLevelFields.allSatisfy { name in
            switch (old.field(name), new.field(name)) {
            case (nil, nil): true
            case (let left?, let right?): left.type == right.type && left.bytes.elementsEqual(right.bytes)
            default: false
            }
        }
    }
}

extension RawDocument {
    fileprivate func field(_ name: [UInt8]) -> RawValue? {
        for element in self where element.key.bytes.elementsEqual(name) { return element.value }
        return nil
    }
}

extension SecondaryIndex {
    private static let isCut: Int32 = 1
    private static let isReady: Int32 = 2

    /// Reads what `martlet.indexes_of` gives.
    ///
    /// - Parameter collection: its UUID.
    static func list(
        in column: UnsafeRawBufferPointer, of collection: [UInt8]
    ) throws(CommandError) -> [SecondaryIndex] {
        var buffer = ByteBuffer(bytes: column)
        var indexes: [SecondaryIndex] = []
        while let (number, multikey, flags, length) = buffer.readMultipleIntegers(
            as: (Int64, Int64, Int32, Int32).self)
        {
            guard let bytes = buffer.readSlice(length: Int(length)) else { break }
            let facts = IndexFacts(
                multikeyFields: UInt32(truncatingIfNeeded: multikey), hasCutKeys: flags & isCut != 0)
            indexes.append(
                SecondaryIndex(
                    number: number, definition: try IndexDefinition(Document(unchecked: bytes)), facts: facts,
                    isReady: flags & isReady != 0, usage: .of(number, in: collection)))
        }
        return indexes
    }
}
