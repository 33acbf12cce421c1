package import BSON
package import CommandModel

/// What tells indexes on one collection apart: two that have it in common are one.
struct IndexSignature: Equatable {
    let key: Document
    private let isUnique: Bool
    private let isSparse: Bool
    private let collation: Document?
    private let filter: [[UInt8]]?
    private let wildcardProjection: Document?

    /// - Parameter specification: as the catalog keeps it.
    init(_ specification: Document) {
        (key, isUnique, isSparse, collation, filter, wildcardProjection) = specification.withRaw { raw in
            (
                Document(copying: raw["key"]?.document ?? .none), raw["unique"]?.bool ?? false,
                raw["sparse"]?.isTruthy ?? false, raw["collation"]?.document.map(Document.init(copying:)),
                raw["partialFilterExpression"]?.document.map(PartialFilter.form),
                raw["wildcardProjection"]?.document.map(Document.init(copying:))
            )
        }
    }

    static func == (left: IndexSignature, right: IndexSignature) -> Bool {
        left.key.isSameKey(as: right.key) && left.isUnique == right.isUnique && left.isSparse == right.isSparse
            && left.collation == right.collation && left.filter == right.filter
            && left.wildcardProjection == right.wildcardProjection
    }
}

extension Document {
    /// As patterns of keys compare: `1` and `1.0` are one direction, the order of the fields counts.
    package func isSameKey(as other: Document) -> Bool {
        withRaw { mine in other.withRaw { mine.compare(to: $0) == 0 } }
    }

    fileprivate var indexName: String { withRaw { $0["name"]?.string ?? "" } }

    fileprivate var isText: Bool { withRaw { $0["key"]?.document?["_fts"]?.string == "text" } }

    /// What an index has beside its signature and its name, and what does not change what it does left out.
    fileprivate func hasSameOptions(as other: Document) -> Bool {
        Self.optionNames.allSatisfy { name in
            withRaw { mine in
                other.withRaw { others in
                    switch (mine[name], others[name]) {
                    case (nil, nil): true
                    case (let left?, let right?): left.compare(to: right) == 0
                    default: false
                    }
                }
            }
        }
    }

    private static let optionNames: [StaticString] = [
        "hidden", "expireAfterSeconds", "storageEngine", "weights", "default_language", "language_override",
        "textIndexVersion", "2dsphereIndexVersion", "finestIndexedLevel", "coarsestIndexedLevel", "bits", "min", "max",
        "bucketSize", "prepareUnique",
    ]
}

// What becomes of a specification among the indexes that there are.
extension IndexSpecification {
    package enum Decision: Sendable, Equatable {
        case create
        /// The very same index is there.
        case exists
    }

    /// - Parameter existing: the specifications of the indexes of the collection, as the catalog keeps them.
    /// - Throws: IndexOptionsConflict (85), IndexKeySpecsConflict (86), CannotCreateIndex (67).
    package func decide(existing: [Document]) throws(CommandError) -> Decision {
        if isIDIndex { return .exists }
        if let sameName = existing.first(where: { $0.indexName.utf8.elementsEqual(name.utf8) }) {
            return try decide(named: sameName)
        }
        if let same = existing.first(where: { IndexSignature($0) == signature }) {
            throw CommandError(
                .indexOptionsConflict,
                same.hasSameOptions(as: document)
                    ? "Index already exists with a different name: \(same.indexName)"
                    : "An equivalent index already exists with a different name and options. "
                        + "Requested index: \(text), existing index: \(same.withRaw { ShellText.of($0) })")
        }
        if document.isText, let other = existing.first(where: \.isText) {
            throw CommandError(
                .cannotCreateIndex,
                "only one text index per collection allowed, found existing text index \"\(other.indexName)\"")
        }
        return .create
    }

    private func decide(named existing: Document) throws(CommandError) -> Decision {
        guard IndexSignature(existing) == signature else {
            throw CommandError(
                .indexKeySpecsConflict,
                "An existing index has the same name as the requested index. When index names are not specified, they "
                    + "are auto generated and can cause conflicts. Please refer to our documentation. "
                    + "Requested index: \(text), existing index: \(existing.withRaw { ShellText.of($0) })")
        }
        guard existing.hasSameOptions(as: document) else {
            throw CommandError(
                .indexOptionsConflict,
                "An equivalent index already exists with the same name but different options. "
                    + "Requested index: \(text), existing index: \(existing.withRaw { ShellText.of($0) })")
        }
        return .exists
    }

    private var text: String { document.withRaw { ShellText.of($0) } }

    /// Of several that are asked for together those that have to be made.
    package static func missing(
        _ specifications: [IndexSpecification], existing: [Document]
    ) throws(CommandError) -> [IndexSpecification] {
        var present = existing
        var missing: [IndexSpecification] = []
        for specification in specifications {
            guard try specification.decide(existing: present) == .create else { continue }
            guard present.count < indexesMax else {
                throw CommandError(
                    .cannotCreateIndex, "add index fails, too many indexes: a collection has \(indexesMax) at most")
            }
            present.append(specification.document)
            missing.append(specification)
        }
        return missing
    }
}
