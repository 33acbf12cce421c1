package import NIOCore
package import SQL

/// Which rows of a collection to read, in which order: what becomes SQL of a query. The filter itself runs in Swift
/// over the rows; the plan only narrows.
package struct ScanPlan: Sendable {
    package enum Order: Sendable, Equatable {
        /// By `rid`: natural order.
        case insertion(descending: Bool)
        /// By `id`: the order of `_id`.
        case id(descending: Bool)
        /// As PostgreSQL finds them: a sequential scan, for results whose order nobody sees.
        case unordered
    }

    /// Where a cursor stands: the last row that it has returned.
    package enum Position: Sendable {
        case rid(Int64)
        case key(ByteBuffer)
        case index(KeyScan.Position)
    }

    package struct Bound: Sendable {
        package let key: ByteBuffer
        package let isInclusive: Bool

        package init(key: ByteBuffer, isInclusive: Bool) {
            self.key = key
            self.isInclusive = isInclusive
        }
    }

    package let collection: Collection
    package var order: Order
    /// The keys of a secondary index by which the rows are found, in whose order they come.
    package var keys: KeyScan?
    /// The documents that one of these meets are left out.
    package var earlier: [KeyScan] = []
    /// Only documents that one of these meets, in the order of the plan; empty for all.
    var among: [KeyScan] = []
    /// Only documents that this one meets, with their scores: keys of a text index.
    var scored: KeyScan?
    /// Not the rows, but one for each key of this index, with how many there are in the place of its `rid`. To be read
    /// in the order of `id`.
    var counts: SecondaryIndex?
    /// Only these keys.
    package var points: [ByteBuffer]?
    package var lower: Bound?
    package var upper: Bound?
    /// The newest row that is wanted.
    package var ridMax: Int64?
    package var after: Position?
    /// The row at ``after`` comes first, if it is still there.
    package var includesPosition = false
    /// The rows are those that match: the filter says nothing that the keys do not.
    package internal(set) var isExact = false
    /// Set when every row counts, so that PostgreSQL may stop by itself.
    package var rowLimit: Int?
    /// Set when every row counts, so that PostgreSQL may pass over the first ones by itself.
    package var offset: Int?
    /// Counts the rows; nil but for `explain`.
    var counters: ScanCounters?
    /// The `rid` is wanted also where it is not the order.
    package var showsRID = false
    /// It follows what comes.
    var isTailable = false

    package init(
        _ collection: Collection, order: Order, points: [ByteBuffer]? = nil, lower: Bound? = nil, upper: Bound? = nil
    ) {
        self.collection = collection
        self.order = order
        self.points = points
        self.lower = lower
        self.upper = upper
    }

    /// Whether PostgreSQL finds the first matching rows without a look at others: those of a range, in its order. (For
    /// some keys in another order it might go through all rows in that order.)
    package var isExactInOrder: Bool { isExact && points == nil && keys == nil && order.isByID }

    /// See ``KeyScan/distinctFields``.
    var isOfSteps: Bool { keys.map { $0.distinctFields > 0 } ?? false }

    /// Whether PostgreSQL looks at few rows and gives all of them.
    var isShort: Bool {
        guard let rowLimit, rowLimit <= Scanner.plainSelectRowsMax, offset ?? 0 <= Scanner.plainSelectRowsMax,
            among.isEmpty, scored == nil
        else { return false }
        // Of each interval as many are looked at as are wanted.
        return keys.map { $0.intervals.count * rowLimit <= Scanner.fetchRowsMax } ?? true
    }

    private static let document = bounded("doc")
    private static let joinedDocument = bounded("d.doc")
    private static let keyColumns = "k.key, \(joinedDocument), d.rid, k.id"

    private static func bounded(_ doc: String) -> String {
        "CASE WHEN octet_length(\(doc)) <= \(Scanner.documentBytesMax) THEN \(doc) END"
    }

    /// The rows: position (`rid`, or `id` in the order of `_id`), then the document. By secondary keys: the key, the
    /// document, `rid`, `id`. Scores come last. In the place of a large document is NULL: see
    /// ``Scanner/documentBytesMax``.
    package var statement: Statement {
        if let counts { return counts.countStatement(of: collection.sql.table, doc: Self.joinedDocument) }
        if let keys {
            var position: KeyScan.Position?
            if case .index(let last)? = after { position = last }
            return keys.statement(
                Self.keyColumns, of: collection.sql.table, after: position, limit: rowLimit)
        }
        let columns = (order.isByID ? "id, " : "rid, ") + Self.document + (order.isByID && showsRID ? ", rid" : "")
        return select(scored == nil ? columns : columns + ", scores")
    }

    /// The text of ``statement``, for explain.
    package var sql: String { statement.text }

    /// The rows with what a write needs: `rid`, `id`, version, document.
    package var writeStatement: Statement {
        select("rid, id, xmin, doc")
    }

    /// Only how many there are.
    ///
    /// - Parameter enough: more are not counted.
    package func countStatement(upTo enough: Int? = nil) -> Statement {
        if let keys { return keys.countStatement(upTo: enough) }
        if isExact, points == nil, among.count == 1 { return among[0].countStatement(upTo: enough) }
        var plan = self
        (plan.order, plan.rowLimit, plan.offset) = (.unordered, enough, nil)
        if let scored { (plan.among, plan.scored) = ([scored], nil) }
        guard enough != nil else { return plan.select("count(*)") }
        let some = plan.select("1")
        return Statement("SELECT count(*) FROM (\(some.text)) c", some.parameters)
    }

    private func select(_ columns: String) -> Statement {
        var bind = Binder()
        var text = "SELECT \(columns) FROM \(collection.sql.table)"
        if let scored { text += scored.scores(&bind) }
        text += whereClause(conditions(&bind))
        switch order {
        case .insertion(let descending): text += descending ? " ORDER BY rid DESC" : " ORDER BY rid"
        case .id(let descending): text += descending ? " ORDER BY id DESC" : " ORDER BY id"
        case .unordered: break
        }
        if let rowLimit { text += " LIMIT " + bind(.int8(Int64(rowLimit))) }
        if let offset { text += " OFFSET " + bind(.int8(Int64(offset))) }
        return Statement(text, bind.parameters)
    }

    private func conditions(_ bind: inout Binder) -> [String] {
        var conditions: [String] = []
        if !among.isEmpty {
            conditions.append("(" + among.map { $0.condition(&bind) }.joined(separator: " OR ") + ")")
        }
        if let points { conditions.append("id = ANY(" + bind(.byteaArray(points)) + ")") }
        if let lower { conditions.append((lower.isInclusive ? "id >= " : "id > ") + bind(.bytea(lower.key))) }
        if let upper { conditions.append((upper.isInclusive ? "id <= " : "id < ") + bind(.bytea(upper.key))) }
        if let ridMax { conditions.append("rid <= " + bind(.int8(ridMax))) }
        switch after {
        case .rid(let rid):
            let comparison = order.isDescending ? "<" : includesPosition ? ">=" : ">"
            conditions.append("rid \(comparison) " + bind(.int8(rid)))
        case .key(let key): conditions.append("id \(order.isDescending ? "<" : ">") " + bind(.bytea(key)))
        case .index, nil: break
        }
        return conditions
    }
}

extension ScanPlan.Order {
    var isByID: Bool {
        if case .id = self { return true }
        return false
    }

    var isDescending: Bool {
        switch self {
        case .insertion(let descending), .id(let descending): descending
        case .unordered: false
        }
    }
}
