internal import CLibPQ
internal import DequeModule
internal import NIOCore
internal import SQL

/// One libpq connection, in pipeline mode. Confined to the thread that made it, and so not `Sendable`.
///
/// Statements go out with ``enqueue(_:)`` and are closed into a *sync group* by ``enqueueSync()``; results come back
/// in the same order from ``next()``, one for each statement, and ``nextSync()`` ends the group:
///
///     connection.enqueue(insertDocument)
///     connection.enqueue(insertKeys)
///     connection.enqueueSync()            // one implicit transaction, one commit
///     let rows = try connection.next()
///     _ = try connection.next()
///     try connection.nextSync()           // returns only if the group took effect
///
/// A sync group outside an explicit `BEGIN` is one transaction: when one statement fails, the ones before it are
/// rolled back, the ones after it report ``PostgresError/Kind/pipelineAborted``, and the next group is unharmed.
/// Any number of groups may be under way.
///
/// Sending never blocks and never fails: what the socket does not take stays in libpq's buffer, and a broken
/// connection shows when results are asked for. Waiting for a result writes and reads at the same time, because a
/// server whose output is not read stops reading its input, and two sides that both only write wait for ever.
package final class Connection {
    /// What libpq will report next, in order.
    enum Expected {
        /// The Parse of a cached statement, sent right before its first execution.
        case prepare(PreparedStatement)
        case statement(PreparedStatement?)
        /// The BEGIN of an explicit transaction, in the group of its first statement.
        case begin
        /// Something that fails, sent in place of a statement that cannot be sent.
        case refused
        case sync
        /// The end of a plan that was evicted, in a group of its own.
        case deallocate(name: String)
        case housekeepingSync
    }

    let handle: OpaquePointer
    let options: ConnectionOptions
    var expected = Deque<Expected>()
    var statements: StatementCache
    var parameters = BoundParameters()
    /// The first error of the group whose results are being read.
    var groupError: PostgresError?
    /// Counts the groups sent, so that a Parse of an earlier group is not relied on before it is confirmed.
    var groupSent: UInt64 = 0
    /// Statements sent since the last Sync: nothing makes the server answer them yet.
    var isGroupOpen = false
    /// Syncs of the caller that ``nextSync()`` has not read.
    var syncsUnderWay = 0
    var lostError: PostgresError?
    /// Between ``begin(_:)`` and the end of that transaction, as far as this side knows.
    package internal(set) var isTransactionOpen = false

    private init(adopting handle: OpaquePointer, options: ConnectionOptions) {
        self.handle = handle
        self.options = options
        statements = StatementCache(capacity: options.preparedStatementsMax)
    }

    deinit {
        PQfinish(handle)
    }

    /// Connects and sets up the session. Blocks for at most the connect timeout of each host.
    package static func connect(_ options: ConnectionOptions) throws(PostgresError) -> Connection {
        guard let handle = openHandle(options) else {
            throw PostgresError(.connectionFailed, "out of memory while connecting to PostgreSQL")
        }
        let connection = Connection(adopting: handle, options: options)
        guard PQstatus(handle) == CONNECTION_OK else {
            throw PostgresError(.connectionFailed, "cannot connect to PostgreSQL: \(connection.libraryMessage)")
        }
        try connection.setUp()
        return connection
    }

    private static func openHandle(_ options: ConnectionOptions) -> OpaquePointer? {
        let keywords = options.keywords
        return withCStrings(keywords.map(\.name)) { names in
            withCStrings(keywords.map(\.value)) { values in
                PQconnectdbParams(names, values, 1)
            }
        }
    }

    /// The version of the server, as `server_version_num` counts it: 15.4 is 150004.
    package var serverVersion: Int { Int(PQserverVersion(handle)) }

    /// What the server says of itself.
    private func parameter(_ name: String) -> String? { PQparameterStatus(handle, name).map { String(cString: $0) } }

    /// The process that serves this connection, as `pg_stat_activity.pid` shows it.
    package var backendPID: Int32 { PQbackendPID(handle) }

    /// The connection is gone for good: make a new one.
    package var isBroken: Bool { lostError != nil || PQstatus(handle) != CONNECTION_OK }

    /// An explicit transaction is open, or the state is unknown. Exact only when no results are outstanding.
    package var isInTransaction: Bool { PQtransactionStatus(handle) != PQTRANS_IDLE }

    /// Results of statements or syncs are still to be read.
    package var hasOutstandingResults: Bool { !expected.isEmpty || isGroupOpen }

    /// A handle that another thread may use to stop what this connection is running.
    package func cancelHandle() -> CancelHandle? {
        PQgetCancel(handle).map(CancelHandle.init(adopting:))
    }

    var libraryMessage: String { trimmedMessage(PQerrorMessage(handle)) }
}

extension Connection {
    static let serverVersionMin = 150_000

    private func setUp() throws(PostgresError) {
        guard serverVersion >= Self.serverVersionMin else {
            throw PostgresError(
                .unsuitable, "it is version \(serverVersion / 10_000), and Martlet needs 15 or newer")
        }
        let encoding = parameter("server_encoding")
        guard encoding == nil || encoding == "UTF8" else {
            throw PostgresError(
                .unsuitable,
                "the database has the encoding \(encoding ?? ""), and Martlet needs UTF8: make one with "
                    + "CREATE DATABASE … ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0")
        }
        // Notices would go to standard error. Ours come from IF EXISTS and the like: nothing anyone acts on.
        PQsetNoticeProcessor(handle, { _, _ in }, nil)
        guard PQsetnonblocking(handle, 1) == 0, PQenterPipelineMode(handle) == 1 else {
            throw PostgresError(.connectionFailed, "cannot enter pipeline mode: \(libraryMessage)")
        }
        try applySettings(ConnectionOptions.standardSettings + options.settings)
    }

    private func applySettings(_ settings: [ConnectionOptions.Setting]) throws(PostgresError) {
        for setting in settings {
            enqueue(.once("SELECT set_config($1, $2, false)", [.text(setting.name), .text(setting.value)]))
        }
        enqueueSync()
        do throws(PostgresError) {
            try nextSync()
        } catch {
            throw PostgresError(.connectionFailed, "cannot set up the session: \(error.message)", state: error.state)
        }
    }
}

/// Calls `body` with a NULL-terminated array of C strings, valid for the call.
func withCStrings<R>(_ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> R) -> R {
    let bytes = strings.map { Array($0.utf8CString) }
    return withPointers(to: bytes[...], []) { pointers in
        pointers.withUnsafeBufferPointer { buffer in
            // `pointers` ends with nil, so the array is never empty and its base address exists.
            body(buffer.baseAddress.unsafelyUnwrapped)
        }
    }
}

private func withPointers<R>(
    to strings: ArraySlice<[CChar]>, _ pointers: [UnsafePointer<CChar>?], _ body: ([UnsafePointer<CChar>?]) -> R
) -> R {
    guard let first = strings.first else { return body(pointers + [nil]) }
    return first.withUnsafeBufferPointer {
        withPointers(to: strings.dropFirst(), pointers + [$0.baseAddress], body)
    }
}

/// libpq ends its messages with a line feed.
func trimmedMessage(_ message: UnsafePointer<CChar>?) -> String {
    guard let message else { return "" }
    var text = String(cString: message)
    while text.last?.isWhitespace == true { text.removeLast() }
    return text
}
