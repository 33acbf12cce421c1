internal import CLibPQ

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Finds out whether an attempt to connect that has failed would succeed a little later.
///
/// libpq has no SQLSTATE for an attempt that failed, and its text is in the server's language. But `PQping` tells a
/// server that is starting up or recovering, or is not there, from one that takes connections; and at the verbosity
/// "SQLSTATE only" the text of a second attempt is the code.
package enum ConnectProbe {
    /// What stands in the way passes by itself: nobody listens yet, the server starts up, recovers or has no
    /// connection left. Not so a wrong password, an unknown database or role, or options that make no sense. Blocks.
    package static func isWorthWaiting(_ options: ConnectionOptions) -> Bool {
        switch withKeywords(options, { PQpingParams($0, $1, 1) }) {
        case PQPING_REJECT, PQPING_NO_RESPONSE: true
        case PQPING_OK: state(of: options)?.isPassingRefusal ?? true
        default: false
        }
    }

    /// The code with which the server refuses a connection, `.none` when it is something else that fails (a client that
    /// has no password to give); nil when a connection is made after all.
    static func state(of options: ConnectionOptions) -> SQLState? {
        guard let handle = withKeywords(options, { PQconnectStartParams($0, $1, 1) }) else { return SQLState.none }
        defer { PQfinish(handle) }
        PQsetErrorVerbosity(handle, PQERRORS_SQLSTATE)
        guard !finish(handle, seconds: options.connectTimeoutSeconds) else { return nil }
        return code(in: trimmedMessage(PQerrorMessage(handle)))
    }

    /// The code at the end of libpq's text: `… failed: FATAL:  57P03`.
    static func code(in message: String) -> SQLState {
        let word = message.split(whereSeparator: \.isWhitespace).last ?? ""
        guard word.utf8.count == 5, word.utf8.allSatisfy({ (48...57).contains($0) || (65...90).contains($0) }) else {
            return .none
        }
        return Array(word.utf8).withUnsafeBytes { SQLState($0) }
    }

    private static func finish(_ handle: OpaquePointer, seconds: Int) -> Bool {
        // As the first step of libpq's protocol: wait until the socket can be written.
        var wanted = POLLOUT
        while PQstatus(handle) != CONNECTION_BAD {
            var descriptor = pollfd(fd: PQsocket(handle), events: Int16(truncatingIfNeeded: wanted), revents: 0)
            let count = poll(&descriptor, 1, Int32(clamping: seconds * 1_000))
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return false }
            switch PQconnectPoll(handle) {
            case PGRES_POLLING_OK: return true
            case PGRES_POLLING_READING: wanted = POLLIN
            case PGRES_POLLING_WRITING: wanted = POLLOUT
            default: return false
            }
        }
        return false
    }

    private typealias CStrings = UnsafePointer<UnsafePointer<CChar>?>

    private static func withKeywords<R>(_ options: ConnectionOptions, _ body: (CStrings, CStrings) -> R) -> R {
        let keywords = options.keywords
        return withCStrings(keywords.map(\.name)) { names in
            withCStrings(keywords.map(\.value)) { values in body(names, values) }
        }
    }
}

extension SQLState {
    /// The server will take connections again without anybody's help.
    var isPassingRefusal: Bool {
        switch self {
        case .cannotConnectNow, .tooManyConnections, .adminShutdown, .crashShutdown: true
        default: false
        }
    }
}
