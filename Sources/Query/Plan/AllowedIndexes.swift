package import BSON
package import CommandModel

/// The indexes that plans of some queries are to be made with: the list of an index filter, or of a query setting.
package struct AllowedIndexes: Sendable {
    /// As the client gave it.
    package let specification: Document
    private var indexes: [IndexHint] = []
    /// Whether the whole collection may be read although there are indexes, and from which end.
    package private(set) var scan: Scan?

    package enum Scan: Sendable { case forward, backward }

    /// As many as a collection may have, several times over.
    private static let countMax = 1_000

    /// - Parameter takesScan: whether `$natural` is one of them.
    /// - Throws: FailedToParse (9), BadValue (2).
    package init(_ list: RawDocument, takesScan: Bool) throws(CommandError) {
        specification = Document(copying: list)
        for element in list {
            guard indexes.count < Self.countMax else {
                throw CommandError(.badValue, "no more than \(Self.countMax) indexes may be listed")
            }
            try take(element.value, takesScan: takesScan)
        }
    }

    private mutating func take(_ value: RawValue, takesScan: Bool) throws(CommandError) {
        if let name = value.string {
            if name == "$natural", takesScan { scan = .forward } else { indexes.append(.name(name)) }
        } else if let pattern = value.document {
            if takesScan, let direction = pattern["$natural"]?.number {
                scan = direction.asDouble < 0 ? .backward : .forward
            } else {
                indexes.append(.keyPattern(Document(copying: pattern)))
            }
        } else {
            throw CommandError(.failedToParse, "an index is named by a string or by its key pattern, an object")
        }
    }

    package var isEmpty: Bool { indexes.isEmpty && scan == nil }

    package func contain(_ definition: IndexDefinition) -> Bool { indexes.contains { $0.means(definition) } }

    /// Whether the index is among them that comes with a collection.
    package var containsIDIndex: Bool {
        indexes.contains { index in
            switch index {
            case .name(let name): name == "_id_"
            case .keyPattern(let pattern): pattern.withRaw { $0.elementCount == 1 && $0["_id"]?.number != nil }
            }
        }
    }
}
