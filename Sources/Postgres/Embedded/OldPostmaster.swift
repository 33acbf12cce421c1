internal import Logging

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// A server left over on the cluster: from a Martlet that was killed (it is shutting down then), or started by hand.
///
/// Only asked while the directory lock is held, so it is never the server of another Martlet at work.
struct OldPostmaster {
    let pid: pid_t

    /// Makes sure that no server runs on the cluster and that no stale file says so.
    static func clear(_ data: DataDirectory, timeoutMilliseconds: Int, logger: Logger) throws(EmbeddedServerError) {
        guard let old = find(data) else { return }
        guard old.isRunning(on: data) else {
            // PostgreSQL checks only whether the number is alive. In a container numbers start over at every start,
            // so that it may be anybody by now.
            unlink(data.postmasterFile)
            return
        }
        logger.notice("waiting for an old PostgreSQL on the data directory", metadata: ["pid": "\(old.pid)"])
        guard old.stop(data, timeoutMilliseconds: timeoutMilliseconds) else {
            throw EmbeddedServerError(
                "cannot start PostgreSQL in \(data.path)",
                because: "process \(old.pid) still serves it and does not stop",
                remedy: "Stop it (kill -QUIT \(old.pid)), then start Martlet again.")
        }
    }

    private static func find(_ data: DataDirectory) -> OldPostmaster? {
        guard let text = FilePath.tail(of: data.postmasterFile), let line = text.split(separator: "\n").first,
            let pid = pid_t(line), pid > 1
        else { return nil }
        return OldPostmaster(pid: pid)
    }

    /// A postmaster's working directory is its cluster. Where that cannot be seen, alive is all we can know.
    private func isRunning(on data: DataDirectory) -> Bool {
        guard kill(pid, 0) == 0 || errno == EPERM else { return false }
        var buffer = [CChar](repeating: 0, count: 4_096)
        let count = readlink("/proc/\(pid)/cwd", &buffer, buffer.count)
        guard count > 0 else { return FilePath.exists("/proc/self/cwd") ? false : true }
        let directory = String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let cluster = realpath(data.cluster, nil) else { return false }
        defer { free(cluster) }
        return directory == String(cString: cluster)
    }

    /// Asks for a fast shutdown, then for an immediate one, which costs a recovery but loses nothing.
    private func stop(_ data: DataDirectory, timeoutMilliseconds: Int) -> Bool {
        for signal in [SIGINT, SIGQUIT] {
            kill(pid, signal)
            for _ in 0..<max(1, timeoutMilliseconds / 20) {
                if !isRunning(on: data) { return true }
                usleep(20_000)
            }
        }
        return false
    }
}
