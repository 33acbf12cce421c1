internal import NIOCore
internal import Query
internal import SQL

// As SQL. The keys are `k`, the documents `d`.
extension KeyScan {
    /// - Parameter position: behind which row to go on.
    func statement(_ columns: String, of documents: String, after position: Position?, limit: Int?) -> Statement {
        if distinctFields > 0 { return steps(columns, of: documents, after: position, limit: limit) }
        if isMerged || limit != nil && intervals.count > 1 {
            return walks(columns, of: documents, after: position, limit: limit)
        }
        var bind = Binder()
        var (keys, conditions) = source(intervals(after: position), &bind)
        // A key of a unique index stands there once.
        let isUnique = index.definition.isUnique
        if let position {
            let sign = isReversed ? "<" : ">"
            let key = bind(.bytea(position.key))
            conditions.append(
                isUnique ? "k.key \(sign) \(key)" : "(k.key, k.id) \(sign) (\(key), \(bind(.bytea(position.id))))")
        }
        // The same for the documents of many narrow intervals, as those of a join.
        let found =
            intervals.count > 1 && isNarrow
            ? "CROSS JOIN LATERAL (SELECT doc, rid FROM \(documents) WHERE id = k.id OFFSET 0) d"
            : "JOIN \(documents) d ON d.id = k.id"
        keys = "SELECT \(columns) FROM \(keys) \(found)" + whereClause(conditions)
        let direction = isReversed ? " DESC" : ""
        keys += " ORDER BY k.key\(direction)" + (isUnique ? "" : ", k.id\(direction)")
        if let limit { keys += " LIMIT " + bind(.int8(Int64(limit))) }
        return Statement(keys, bind.parameters)
    }

    /// How many documents have keys in the intervals.
    ///
    /// - Parameter enough: more are not counted.
    func countStatement(upTo enough: Int?) -> Statement {
        var bind = Binder()
        let (keys, conditions) = source(intervals, &bind)
        let source = "FROM \(keys)" + whereClause(conditions)
        guard let enough else {
            let what = index.mayRepeatDocuments ? "DISTINCT k.id" : "*"
            return Statement("SELECT count(\(what)) \(source)", bind.parameters)
        }
        let some = "SELECT \(index.mayRepeatDocuments ? "DISTINCT k.id " : "")\(source) LIMIT "
        return Statement("SELECT count(*) FROM (\(some)\(bind(.int8(Int64(enough))))) c", bind.parameters)
    }

    /// A condition on `id`: that of a document with keys in the intervals.
    func condition(_ bind: inout Binder) -> String {
        let (keys, conditions) = source(intervals, &bind)
        return "id IN (SELECT k.id FROM \(keys)\(whereClause(conditions)))"
    }

    /// Joins the documents with keys in the intervals, which are terms of a text index; `scores` are those of the keys.
    func scores(_ bind: inout Binder) -> String {
        let (lower, upper) = (bind(.bytesArray(intervals.map(\.lower))), bind(.bytesArray(intervals.map(\.upper))))
        return """
             JOIN (SELECT k.id AS found, string_agg(substring(k.key FROM length(r.lower) + 1 \
            FOR \(TextScore.keyBytes)), ''::bytea) AS scores \
            FROM unnest(\(lower)::bytea[], \(upper)::bytea[]) AS r (lower, upper) \
            JOIN \(index.table) k ON k.key >= r.lower AND k.key < r.upper GROUP BY k.id) t ON t.found = id
            """
    }

    /// What to select from, and under which conditions.
    private func source(
        _ intervals: [KeyInterval], _ bind: inout Binder
    ) -> (text: String, conditions: [String]) {
        if let only = intervals.first, intervals.count == 1 {
            let (lower, upper) = (bind(.bytes(only.lower)), bind(.bytes(only.upper)))
            return ("\(index.table) k", ["k.key >= \(lower)", "k.key < \(upper)"])
        }
        let lower = bind(.bytesArray(intervals.map(\.lower)))
        let upper = bind(.bytesArray(intervals.map(\.upper)))
        // OFFSET 0 keeps PostgreSQL from making a join of it: it would expect a ninth of all keys in each interval, and
        // go through all of them for each.
        let text = """
            unnest(\(lower)::bytea[], \(upper)::bytea[]) AS r (lower, upper) CROSS JOIN LATERAL \
            (SELECT key, id FROM \(index.table) WHERE key >= r.lower AND key < r.upper OFFSET 0) k
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

// Many walks at once, one for each interval: with a limit none of them goes further than that.
extension KeyScan {
    fileprivate struct Walk {
        var lower: [UInt8]
        var upper: [UInt8]
        /// Where the bound at which it starts is a key: behind this document.
        var id = ByteBuffer()
        /// How many bytes do not count for the order.
        var skipped = 0
    }

    private func walks(_ columns: String, of documents: String, after position: Position?, limit: Int?) -> Statement {
        var bind = Binder()
        let (source, conditions) = source(walks(after: position), isResumed: position != nil, &bind)
        let direction = isReversed ? " DESC" : ""
        let byKey = "k.key\(direction), k.id\(direction)"
        let order = isMerged ? "k.rest\(direction), \(byKey)" : byKey
        let rest = isMerged ? ", substring(k.key FROM r.skip) AS rest" : ""
        let most = limit.map { " LIMIT " + bind(.int8(Int64($0))) } ?? ""
        let keys = """
            SELECT * FROM (SELECT k.key, k.id\(rest) FROM \(source) CROSS JOIN LATERAL \
            (SELECT k.key, k.id FROM \(index.table) k\(whereClause(conditions)) ORDER BY \(byKey)\(most)) k) k \
            ORDER BY \(order)\(most)
            """
        return Statement(
            "SELECT \(columns) FROM (\(keys)) k JOIN \(documents) d ON d.id = k.id ORDER BY \(order)",
            bind.parameters)
    }

    private func source(
        _ walks: [Walk], isResumed: Bool, _ bind: inout Binder
    ) -> (text: String, conditions: [String]) {
        var lists = [walks.map(\.lower), walks.map(\.upper)].map { bind(.bytesArray($0)) + "::bytea[]" }
        var names = "lower, upper"
        var conditions = ["k.key >= r.lower", "k.key < r.upper"]
        if isMerged {
            lists.append(bind(.int4Array(walks.map { Int32(clamping: $0.skipped + 1) })) + "::int4[]")
            names += ", skip"
        }
        if isResumed {
            lists.append(bind(.byteaArray(walks.map(\.id))) + "::bytea[]")
            names += ", id"
            if isReversed {
                conditions[1] = "(k.key, k.id) < (r.upper, r.id)"
            } else {
                conditions[0] = "(k.key, k.id) > (r.lower, r.id)"
            }
        }
        return ("unnest(\(lists.joined(separator: ", "))) AS r (\(names))", conditions)
    }

    /// What is left of the walks behind a row.
    private func walks(after position: Position?) -> [Walk] {
        let all = intervals.enumerated().map { place, interval in
            Walk(lower: interval.lower, upper: interval.upper, skipped: isMerged ? mergedBytes[place] : 0)
        }
        guard let position else { return all }
        guard let place = place(of: position.key) else { return [] }
        let key = Array(position.key.readableBytesView)
        let skipped = all[place].skipped
        let (start, rest) = (Array(key[..<skipped]), key[skipped...])
        return all.compactMap { walk in
            let own = Array(walk.lower.prefix(walk.skipped))
            if own == start {
                return walk.resumed(at: own + rest, id: position.id, isPassed: false, isReversed: isReversed)
            }
            // At one place in the order the lesser key comes first.
            let isPassed = own.lexicographicallyPrecedes(start) != isReversed
            return walk.resumed(at: own + rest, id: ByteBuffer(), isPassed: isPassed, isReversed: isReversed)
        }
    }
}

extension KeyScan.Walk {
    /// - Parameters:
    ///   - key: the place in the order, as a key of this walk.
    ///   - id: not empty in the walk that has met the place: behind which document of that key.
    ///   - isPassed: all documents of that key were met.
    fileprivate func resumed(at key: [UInt8], id: ByteBuffer, isPassed: Bool, isReversed: Bool) -> KeyScan.Walk? {
        var rest = self
        // The least bytes behind a key, and not behind any other one.
        let behind = key + [0]
        if isReversed {
            let bound = id.readableBytes > 0 || isPassed ? key : behind
            guard bound.lexicographicallyPrecedes(upper) else { return self }
            (rest.upper, rest.id) = (bound, id)
            return bound.lexicographicallyPrecedes(lower) ? nil : rest
        }
        let bound = id.readableBytes > 0 || !isPassed ? key : behind
        guard lower.lexicographicallyPrecedes(bound) || lower == bound && id.readableBytes > 0 else { return self }
        (rest.lower, rest.id) = (bound, id)
        return bound.lexicographicallyPrecedes(upper) ? rest : nil
    }
}

// From the keys with some first values to those with the next ones.
extension KeyScan {
    /// In the place of a key the rows have its first values.
    private func steps(_ columns: String, of documents: String, after position: Position?, limit: Int?) -> Statement {
        var bind = Binder()
        let lower = bind(.bytesArray(intervals.map(\.lower)))
        let upper = bind(.bytesArray(intervals.map(\.upper)))
        let head = head(&bind)
        let direction = isReversed ? " DESC" : ""
        func step(_ conditions: [String]) -> String {
            "SELECT \(head) AS key, k.id FROM \(index.table) k"
                + whereClause(["k.key >= r.lower", "k.key < r.upper"] + conditions)
                + " ORDER BY k.key\(direction), k.id\(direction) LIMIT 1"
        }
        // No value begins with FF.
        func passing(_ head: String) -> String { isReversed ? "k.key < \(head)" : "k.key >= \(head) || '\\xff'::bytea" }
        let first = step(position.map { [passing(bind(.bytea($0.key)) + "::bytea")] } ?? [])
        let most = limit.map { " LIMIT " + bind(.int8(Int64($0))) } ?? ""
        let walk = """
            WITH RECURSIVE w AS ((\(first)) UNION ALL \
            SELECT n.key, n.id FROM w CROSS JOIN LATERAL (\(step([passing("w.key")]))) n) SELECT * FROM w\(most)
            """
        let text = """
            SELECT \(columns) FROM unnest(\(lower)::bytea[], \(upper)::bytea[]) AS r (lower, upper) \
            CROSS JOIN LATERAL (\(walk)) k JOIN \(documents) d ON d.id = k.id \
            ORDER BY k.key\(direction), k.id\(direction)\(most)
            """
        return Statement(text, bind.parameters)
    }

    /// The first values of `k.key`.
    private func head(_ bind: inout Binder) -> String {
        let fields = index.definition.fields
        guard distinctFields < fields.count else { return "k.key" }
        let isDescending = fields.prefix(distinctFields).map { $0.kind == .descending }
        return "martlet.key_head(k.key, \(bind(.boolArray(isDescending))))"
    }

    /// The keys that begin with the same values as a row of ``distinctFields``.
    func group(of position: Position) -> KeyScan {
        let head = Array(position.key.readableBytesView)
        return KeyScan(index, [KeyInterval(lower: head, upper: head + [0xFF])])
    }
}
