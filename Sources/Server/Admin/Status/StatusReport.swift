/// What the live page is told, each second or two. Times are in milliseconds, but for those of the server, rates are a
/// second's. The names are the page's own: other programs read `/metrics`, whose names are promises.
struct StatusReport: Encodable {
    struct Server: Encodable {
        var version: String
        var postgresVersion: String
        var host: String
        var uptimeSeconds: Int
        var isWritable: Bool
        var nowMilliseconds: Int64
    }

    /// Oldest first, a second each; null where nothing was done.
    struct History: Encodable {
        var rates: [Double]
        var p50: [Double?]
        var p95: [Double?]
        var p99: [Double?]
    }

    struct Times: Encodable {
        var count: Int
        var p50: Double?
        var p95: Double?
        var p99: Double?
    }

    struct Kind: Encodable {
        var name: String
        var rate: Double
        var total: Int
        /// Of about the last minute.
        var times: Times
    }

    struct Pool: Encodable {
        var name: String
        var threads: Int
        var connected: Int
        var busy: Int
        var idle: Int
        var waiting: Int
        /// Since the start.
        var refused: Int
        var reconnects: Int
        var isAway: Bool
        var waitP95: Double
    }

    struct HotDocument: Encodable {
        var namespace: String
        var id: String
        var writes: Int
    }

    struct Lanes: Encodable {
        var versions: Int
        var meanDepth: Double
        var p99Depth: Double
        var hot: [HotDocument]
    }

    struct Total: Encodable {
        var rate: Double
        var total: Int
    }

    struct Retry: Encodable {
        var sqlstate: String
        var count: Int
    }

    struct Guard: Encodable {
        var deduplicated: Total
        var conflicts: Total
        var retried: Total
        var retries: [Retry]
    }

    struct Clients: Encodable {
        var connections: Int
        var accepted: Int
        var running: Int
        var sessions: Int
        var cursors: Int
        var cursorsTimedOut: Int
        var transactions: Int
        var transactionsWaiting: Int
        var transactionsCommitted: Int
        var transactionsAborted: Int
        var loginsSucceeded: Int
        var loginsFailed: Int
        var failures: Total
    }

    struct Resources: Encodable {
        /// nil where the system does not tell.
        var residentBytes: Int?
        var spillBytes: Int
        var received: Total
        var sent: Total
    }

    struct Step: Encodable {
        var pool: String?
        var sql: String?
    }

    struct Slow: Encodable {
        var endedAt: Int64
        var command: String
        var namespace: String
        var milliseconds: Double
        var errorCode: Int64?
        var application: String?
        var steps: [Step]
    }

    var server: Server
    var history: History
    var windowSeconds: Int
    var all: Times
    var kinds: [Kind]
    var pools: [Pool]
    var lanes: Lanes
    var `guard`: Guard
    var clients: Clients
    var resources: Resources
    var slowMilliseconds: Int64
    var slow: [Slow]
}
