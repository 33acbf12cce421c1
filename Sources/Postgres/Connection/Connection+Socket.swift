internal import CLibPQ

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

extension Connection {
    /// libpq's next result, or its NULL. Writes what is still unsent meanwhile.
    func awaitResult() throws(PostgresError) -> OpaquePointer? {
        if let lostError { throw lostError }
        while PQisBusy(handle) != 0 {
            try exchange()
        }
        return PQgetResult(handle)
    }

    /// Waits until the socket takes or gives something, and lets libpq have it.
    func exchange() throws(PostgresError) {
        let unsent = PQflush(handle)
        if unsent < 0 { throw lose() }
        let events = POLLIN | (unsent > 0 ? POLLOUT : 0)
        guard let ready = poll(for: events, timeoutMilliseconds: options.responseTimeoutMilliseconds) else {
            throw lose(PostgresError(.timeout, "PostgreSQL did not answer in time"))
        }
        guard ready & ~Int32(POLLOUT) != 0, PQconsumeInput(handle) == 0 else { return }
        // The socket is at its end. What came before that is still to be read (often the server's reason), so the
        // connection counts as lost only when libpq wants more than there is.
        if PQisBusy(handle) != 0 { throw lose() }
    }

    /// Waits for `events`; nil when the time is up first.
    func poll(for events: Int32, timeoutMilliseconds: Int?) -> Int32? {
        var descriptor = pollfd(fd: PQsocket(handle), events: Int16(truncatingIfNeeded: events), revents: 0)
        let timeout = timeoutMilliseconds.map { Int32(clamping: max(0, $0)) } ?? -1
        while true {
            let count = systemPoll(&descriptor, 1, timeout)
            if count > 0 { return Int32(descriptor.revents) }
            if count == 0 { return nil }
            // The interrupted wait starts anew: signals are rare and the time limit is a last resort.
            if errno != EINTR { return Int32(POLLERR) }
        }
    }

    /// Whether an idle connection still stands: a server that went away has closed its side of the socket.
    package func isAlive() -> Bool {
        // Twice: the first read may find only the server's parting words, the second the end.
        for _ in 0..<2 where !isBroken {
            guard poll(for: Int32(POLLIN), timeoutMilliseconds: 0) != nil else { break }
            if PQconsumeInput(handle) == 0 { lose() }
            _ = PQisBusy(handle)
        }
        return !isBroken
    }
}

/// The method of the same name hides the function.
private func systemPoll(_ descriptors: UnsafeMutablePointer<pollfd>, _ count: nfds_t, _ timeout: Int32) -> Int32 {
    poll(descriptors, count, timeout)
}
