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
    /// The intervals field by field, as `explain` shows them; empty where it did not ask.
    package let fieldBounds: [FieldBounds]

    package init(
        _ index: SecondaryIndex, _ intervals: [KeyInterval], isReversed: Bool = false, isExact: Bool = false,
        providesSort: Bool = false, fieldBounds: [FieldBounds] = []
    ) {
        self.fieldBounds = fieldBounds
        self.index = index
        self.intervals = intervals
        self.isReversed = isReversed
        self.isExact = isExact
        self.providesSort = providesSort
    }

    /// A guess, as PostgreSQL makes it without a histogram.
    func expectedRows(of rows: Int64) -> Int64 {
        let isNarrow = intervals.allSatisfy { $0.upper.count > 1 && $0.lower.count > 1 }
        return min(rows, isNarrow ? Int64(clamping: intervals.count) * 100 : rows / 4)
    }

    /// A row of the walk: where a cursor stands behind it.
    package struct Position: Sendable {
        package let key: ByteBuffer
        package let id: ByteBuffer
    }

    /// Whether this is the row by which its document is returned: a document with several keys in the intervals is
    /// met several times, and the first time counts. It is told from the document alone, so that a cursor need not
    /// remember what it has seen.
    func isFirst(_ key: UnsafeRawBufferPointer, of document: RawDocument) throws(CommandError) -> Bool {
        guard index.mayRepeatDocuments else { return true }
        let keys = try index.definition.keys(of: document).keys
        let first = isReversed ? keys.last(where: contains) : keys.first(where: contains)
        // A document that has lost this key since is met by another one, or not at all.
        return first.map { compare($0, key) == 0 } ?? false
    }

    /// Whether the walk comes by the document.
    func meets(_ document: RawDocument) throws(CommandError) -> Bool {
        try index.definition.keys(of: document).keys.contains(where: contains)
    }

    private func contains(_ key: ByteBuffer) -> Bool {
        key.withUnsafeReadableBytes { key in
            intervals.contains { interval in
                interval.lower.withUnsafeBytes { compare(key, $0) >= 0 }
                    && interval.upper.withUnsafeBytes { compare(key, $0) < 0 }
            }
        }
    }
}

// As SQL. The keys are `k`, the documents `d`.
extension KeyScan {
    /// - Parameter position: behind which row to go on.
    func statement(_ columns: String, of documents: String, after position: Position?, limit: Int?) -> Statement {
        var parameters: [Parameter] = []
        func parameter(_ value: Parameter) -> String {
            parameters.append(value)
            return "$\(parameters.count)"
        }
        var (keys, conditions) = source(intervals(after: position), parameter)
        // A key of a unique index stands there once.
        let isUnique = index.definition.isUnique
        if let position {
            let sign = isReversed ? "<" : ">"
            let key = parameter(.bytea(position.key))
            conditions.append(
                isUnique ? "k.key \(sign) \(key)" : "(k.key, k.id) \(sign) (\(key), \(parameter(.bytea(position.id))))")
        }
        keys = "SELECT \(columns) FROM \(keys) JOIN \(documents) d ON d.id = k.id"
        if !conditions.isEmpty { keys += " WHERE " + conditions.joined(separator: " AND ") }
        let direction = isReversed ? " DESC" : ""
        keys += " ORDER BY k.key\(direction)" + (isUnique ? "" : ", k.id\(direction)")
        if let limit { keys += " LIMIT " + parameter(.int8(Int64(limit))) }
        return Statement(keys, parameters)
    }

    /// How many documents have keys in the intervals.
    var countStatement: Statement {
        var parameters: [Parameter] = []
        let (keys, conditions) = source(intervals) { value in
            parameters.append(value)
            return "$\(parameters.count)"
        }
        let what = index.mayRepeatDocuments ? "DISTINCT k.id" : "*"
        let filter = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
        return Statement("SELECT count(\(what)) FROM \(keys)\(filter)", parameters)
    }

    /// A condition on `id`: that of a document with keys in the intervals.
    func condition(_ parameter: (Parameter) -> String) -> String {
        let (keys, conditions) = source(intervals, parameter)
        let filter = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
        return "id IN (SELECT k.id FROM \(keys)\(filter))"
    }

    /// What to select from, and under which conditions.
    private func source(
        _ intervals: [KeyInterval], _ parameter: (Parameter) -> String
    ) -> (text: String, conditions: [String]) {
        if let only = intervals.first, intervals.count == 1 {
            let (lower, upper) = (parameter(.bytes(only.lower)), parameter(.bytes(only.upper)))
            return ("\(index.table) k", ["k.key >= \(lower)", "k.key < \(upper)"])
        }
        let lower = parameter(.bytesArray(intervals.map(\.lower)))
        let upper = parameter(.bytesArray(intervals.map(\.upper)))
        let text = """
            unnest(\(lower)::bytea[], \(upper)::bytea[]) AS r (lower, upper) \
            JOIN \(index.table) k ON k.key >= r.lower AND k.key < r.upper
            """
        return (text, [])
    }

    private func intervals(after position: Position?) -> [KeyInterval] {
        guard let key = position?.key else { return intervals }
        return intervals.filter { interval in
            isReversed
                ? interval.lower.withUnsafeBytes { compare(key, $0) >= 0 }
                : interval.upper.withUnsafeBytes { compare(key, $0) < 0 }
        }
    }
}
