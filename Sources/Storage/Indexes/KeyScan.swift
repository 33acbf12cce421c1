internal import BSON
internal import CommandModel
package import NIOCore
package import Query
internal import SQL

/// One walk over the keys of a secondary index: which rows a query reads, in which order.
package struct KeyScan: Sendable {
    package let index: SecondaryIndex
    /// Ascending and disjoint.
    package let intervals: [KeyInterval]
    package let isReversed: Bool
    /// The documents with these keys are those that match.
    package let isExact: Bool
    /// The documents come in the order that the query asked for.
    package let providesSort: Bool
    /// That order is the one behind so many fields: one walk for each beginning, and these are merged; 0 for one walk
    /// in the order of the keys.
    package let mergedFields: Int
    /// How many bytes of the bounds are the beginning, by interval; empty where nothing is merged.
    let mergedBytes: [Int]
    /// Of the keys with the same first values only one is met, by so many fields; 0 for all keys.
    package private(set) var distinctFields: Int
    /// The intervals field by field, as `explain` shows them; empty where it did not ask.
    package let fieldBounds: [FieldBounds]
    /// About how many keys there are; nil where there are no statistics.
    private let expectedKeys: Double?

    /// Some keys in their order, whatever the filter says.
    package init(_ index: SecondaryIndex, _ intervals: [KeyInterval]) {
        self.index = index
        self.intervals = intervals
        (isReversed, isExact, providesSort) = (false, false, false)
        (mergedFields, mergedBytes, distinctFields) = (0, [], 0)
        fieldBounds = []
        expectedKeys = nil
    }

    init(_ index: SecondaryIndex, _ scan: IndexScan) {
        self.index = index
        intervals = scan.bounds.intervals
        isReversed = scan.isReversed
        isExact = scan.bounds.isExact
        providesSort = scan.providesSort
        mergedFields = scan.mergedFields
        mergedBytes = scan.bounds.mergedBytes
        distinctFields = scan.distinctFields
        fieldBounds = scan.bounds.fieldBounds
        expectedKeys = scan.expectedKeys
    }

    /// Without statistics a guess, as PostgreSQL makes it without a histogram.
    func expectedRows(of rows: Int64) -> Int64 {
        if distinctFields > 0 { return min(rows, Int64(Self.stepsMax)) }
        if let expectedKeys { return Int64(min(expectedKeys, 1e15)) }
        return min(rows, isNarrow ? Int64(clamping: intervals.count) * 100 : rows / 4)
    }

    /// Each interval begins and ends within a type.
    var isNarrow: Bool { intervals.allSatisfy { $0.upper.count > 1 && $0.lower.count > 1 } }

    /// A row of the walk: where a cursor stands behind it.
    package struct Position: Sendable {
        package let key: ByteBuffer
        package let id: ByteBuffer
    }

    /// Whether this is the row by which its document is returned: a document with several keys in the intervals is
    /// met several times, and the first time counts. It is told from the document alone, so that a cursor need not
    /// remember what it has seen.
    func isFirst(_ key: UnsafeRawBufferPointer, of document: RawDocument) throws(CommandError) -> Bool {
        guard index.mayRepeatDocuments, distinctFields == 0 else { return true }
        // A document that has lost this key since is met by another one, or not at all.
        return try firstKey(of: document).map { compare($0, key) == 0 } ?? false
    }

    /// The key by which the walk meets a document first.
    private func firstKey(of document: RawDocument) throws(CommandError) -> ByteBuffer? {
        let keys = try index.definition.keys(of: document).keys
        guard isMerged else { return isReversed ? keys.last(where: contains) : keys.first(where: contains) }
        let met = keys.filter(contains)
        return isReversed ? met.max(by: precedes) : met.min(by: precedes)
    }

    /// The order in which merged walks come by keys.
    private func precedes(_ left: ByteBuffer, _ right: ByteBuffer) -> Bool {
        let order = compare(rest(of: left), rest(of: right))
        return order == 0 ? compare(left, right) < 0 : order < 0
    }

    private func rest(of key: ByteBuffer) -> ByteBuffer {
        guard let place = place(of: key) else { return key }
        return key.getSlice(at: key.readerIndex + mergedBytes[place], length: key.readableBytes - mergedBytes[place])
            ?? key
    }

    /// The values of the key by which the walk meets a document first; nil for one that it does not meet.
    func keyValues(of document: RawDocument) -> Document? {
        // What is stored has keys.
        guard let key = try? firstKey(of: document) else { return nil }
        return index.definition.keyValue(of: document, for: key)
    }

    /// Whether a position in the one walk is one in the other.
    func isSameWalk(as other: KeyScan) -> Bool {
        index.number == other.index.number && isReversed == other.isReversed && providesSort == other.providesSort
            && mergedBytes == other.mergedBytes && distinctFields == other.distinctFields
    }

    /// As many steps from one value to the next are taken; with more values it pays to read what comes.
    static let stepsMax = 5_000

    /// The same over all keys.
    var overEveryKey: KeyScan {
        var scan = self
        scan.distinctFields = 0
        return scan
    }

    /// Whether the walk comes by the document.
    func meets(_ document: RawDocument) throws(CommandError) -> Bool {
        try index.definition.keys(of: document).keys.contains(where: contains)
    }

    private func contains(_ key: ByteBuffer) -> Bool {
        place(of: key) != nil
    }

    /// The interval that a key lies in.
    func place(of key: ByteBuffer) -> Int? {
        key.withUnsafeReadableBytes { key in
            intervals.firstIndex { interval in
                interval.lower.withUnsafeBytes { compare(key, $0) >= 0 }
                    && interval.upper.withUnsafeBytes { compare(key, $0) < 0 }
            }
        }
    }

    var isMerged: Bool { !mergedBytes.isEmpty }
}
