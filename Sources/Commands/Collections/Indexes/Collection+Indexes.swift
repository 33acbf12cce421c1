internal import BSON
internal import CommandModel
internal import Query
internal import Storage

extension Collection {
    /// The indexes that there are, as `listIndexes` shows them.
    var listedIndexes: [Document] { [ownIndex].compactMap { $0 } + secondaryIndexes.map(\.definition.specification) }

    var secondaryIndexes: [SecondaryIndex] {
        if case .success(let indexes) = indexes { indexes } else { [] }
    }

    /// How many indexes commands count: that by which a collection is clustered is none.
    var indexCount: Int32 { Int32(clamping: listedIndexes.count - (isClustered ? 1 : 0)) }

    /// The index that comes with the collection, and stays.
    var ownIndex: Document? {
        switch kind {
        case .plain, .capped: return Document { $0.writeIDIndex(of: self) }
        case .clustered:
            let name = options.withRaw { $0["clusteredIndex"]?.document?["name"]?.string }
            return Document { $0.writeClusteredIndex(name: name ?? "_id_") }
        case .timeseries(let fields):
            return fields.meta.map { meta in Document { $0.writeTimeseriesIndex(meta, fields.time) } }
        case .view: return nil
        }
    }

    /// What further indexes are to be on.
    func indexTarget(ignoringUnknownOptions ignores: Bool = false) -> IndexTarget {
        let kind: IndexTarget.Kind
        switch self.kind {
        case .plain, .view: kind = .plain
        case .capped: kind = .capped
        case .clustered: kind = .clustered
        case .timeseries(let fields): kind = .timeseries(time: fields.time, meta: fields.meta)
        }
        return IndexTarget(kind: kind, collator: collator, ignoresUnknownOptions: ignores)
    }
}

extension Document {
    var indexName: String { withRaw { $0["name"]?.string ?? "" } }

    /// The `key` of a specification.
    func hasKey(_ pattern: Document) -> Bool {
        withRaw { $0["key"]?.document.map(Document.init(copying:)) }?.isSameKey(as: pattern) ?? false
    }
}

extension DocumentBuilder {
    fileprivate mutating func writeClusteredIndex(name: String) {
        writeClusteredKey(name: name)
        append("clustered", bool: true)
    }

    fileprivate mutating func writeTimeseriesIndex(_ meta: String, _ time: String) {
        append("v", int32: 2)
        beginDocument("key")
        append(name: meta, .int32(1))
        append(name: time, .int32(1))
        end()
        append("name", string: "\(meta)_1_\(time)_1")
    }
}

extension ErrorCode {
    static let ambiguousIndexKeyPattern = ErrorCode(181, "AmbiguousIndexKeyPattern")
    static let cannotConvertIndexToUnique = ErrorCode(359, "CannotConvertIndexToUnique")
}
