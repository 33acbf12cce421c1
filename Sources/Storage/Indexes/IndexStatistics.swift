internal import NIOConcurrencyHelpers
internal import Postgres
internal import Query
internal import SQL
internal import Synchronization

/// What PostgreSQL's ANALYZE has found out about the keys of an index, as this server has read it last.
///
/// No query waits for more than the first reading: it is read when a plan needs it, and again after the next ANALYZE,
/// of which ``RowEstimates`` learns every few seconds. Small collections are planned without.
final class IndexStatistics: Sendable {
    private let isWanted = Atomic<Bool>(true)
    private let present = NIOLockedValueBox<KeyStatistics?>(nil)

    /// nil where there is none (yet).
    var current: KeyStatistics? { present.withLockedValue { $0 } }

    /// Whether the caller is to read them: nobody else does.
    func claim() -> Bool {
        isWanted.load(ordering: .relaxed) && isWanted.exchange(false, ordering: .acquiringAndReleasing)
    }

    /// They are to be read again.
    func expire() { isWanted.store(true, ordering: .releasing) }

    func set(_ statistics: KeyStatistics?) { present.withLockedValue { $0 = statistics } }
}

/// Reads them.
enum StatisticsReader {
    struct Found {
        var statistics: KeyStatistics?
        /// How often the table was analyzed.
        var analyses: Int64 = 0
    }

    private enum Kind: Int64 {
        case entries, distinct, common, bound, analyses, documents
    }

    /// One statement for all indexes of a collection. Rows of index, ``Kind``, key and number.
    private static let query = """
        WITH t AS (SELECT c.oid, c.relname, substr(c.relname, 6)::bigint AS number, c.reltuples, \
        pg_stat_get_live_tuples(c.oid) AS live FROM pg_class c \
        WHERE c.relnamespace = 'martlet'::regnamespace AND c.relname = ANY ($1)), \
        s AS (SELECT t.number, p.* FROM t JOIN pg_stats p \
        ON p.schemaname = 'martlet' AND p.tablename = t.relname AND p.attname = 'key') \
        SELECT number, 0::bigint, NULL::bytea, (CASE WHEN live > 0 THEN live ELSE reltuples END)::float8 FROM t \
        UNION ALL SELECT number, 1, NULL, n_distinct FROM s \
        UNION ALL SELECT number, 2, m.key, m.part \
        FROM s, unnest(most_common_vals::text::bytea[], most_common_freqs) AS m (key, part) \
        UNION ALL SELECT number, 3, b.key, 0 FROM s, unnest(histogram_bounds::text::bytea[]) AS b (key) \
        UNION ALL SELECT number, 4, NULL, pg_stat_get_analyze_count(oid) + pg_stat_get_autoanalyze_count(oid) FROM t \
        UNION ALL SELECT 0, 5, NULL, pg_stat_get_live_tuples($2::text::regclass)
        """

    private struct Parts {
        var entries = 0.0
        /// nil where the table was never analyzed.
        var distinct: Double?
        var common: [KeyStatistics.CommonKey] = []
        var bounds: [[UInt8]] = []
        var analyses: Int64 = 0

        func statistics(documents: Double) -> KeyStatistics? {
            guard let distinct, entries > 0 else { return nil }
            return KeyStatistics(
                entries: entries, documents: documents, distinct: distinct, common: common,
                bounds: bounds.sorted { $0.lexicographicallyPrecedes($1) })
        }
    }

    /// By the numbers of the indexes.
    static func read(
        _ indexes: [SecondaryIndex], of collection: Collection, on connection: Connection
    ) throws(PostgresError) -> [Int64: Found] {
        let names = indexes.map { "keys_\($0.number)" }
        let rows = try connection.execute(Statement(query, [.textArray(names), .text(collection.sql.table)]))
        var parts: [Int64: Parts] = [:]
        var documents = 0.0
        for row in 0..<rows.rowCount {
            guard let index = rows.int8(row: row, column: 0), let kind = rows.int8(row: row, column: 1),
                let number = rows.float8(row: row, column: 3)
            else { continue }
            let key = rows.bytes(row: row, column: 2).map(Array.init) ?? []
            switch Kind(rawValue: kind) {
            case .entries: parts[index, default: Parts()].entries = number
            case .distinct: parts[index, default: Parts()].distinct = number
            case .common: parts[index, default: Parts()].common.append(.init(key: key, part: number))
            case .bound: parts[index, default: Parts()].bounds.append(key)
            case .analyses: parts[index, default: Parts()].analyses = Int64(number)
            case .documents: documents = number
            case nil: break
            }
        }
        return parts.mapValues { Found(statistics: $0.statistics(documents: documents), analyses: $0.analyses) }
    }
}

extension StorageEngine {
    /// From so many documents on it is worth to know more of the keys than that there are some.
    private static let rowsToMeasure: Int64 = 1_000

    /// Sees to it that plans for the collection are made with PostgreSQL's statistics.
    package func prepareStatistics(of collection: Collection) async {
        guard collection.hasIndexes, estimates[collection] >= Self.rowsToMeasure else { return }
        let indexes = collection.readyIndexes.filter { $0.statistics.claim() }
        guard !indexes.isEmpty else { return }
        do throws(StorageError) {
            let found = try await general.withConnection { connection throws(StorageError) in
                do throws(PostgresError) {
                    return try StatisticsReader.read(indexes, of: collection, on: connection)
                } catch { throw .postgres(error) }
            }
            for index in indexes {
                let found = found[index.number] ?? StatisticsReader.Found()
                index.statistics.set(found.statistics)
                estimates.watch(index.statistics, of: index.number, analyses: found.analyses)
            }
        } catch {
            // A plan without them is as good as any was before.
            for index in indexes { index.statistics.expire() }
        }
    }
}
