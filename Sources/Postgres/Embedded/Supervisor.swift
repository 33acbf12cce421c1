internal import Logging
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Keeps the postmaster running: a thread that spawns it, waits for its end, and spawns it again.
///
/// The thread lives as long as the server may, because the kernel takes the end of the spawning *thread* for the
/// death of the parent and would shut the server down.
final class Supervisor: Sendable {
    private struct State {
        var pid: pid_t?
        var isStopping = false
        /// Ends of the postmaster that nobody asked for.
        var crashes = 0
        var hasEnded = false
    }

    private let command: [String]
    private let data: DataDirectory
    private let logger: Logger
    private let state = Mutex(State())

    init(command: [String], data: DataDirectory, logger: Logger) {
        self.command = command
        self.data = data
        self.logger = logger
    }

    var postmasterPID: Int32? { state.withLock { $0.pid } }
    var crashes: Int { state.withLock { $0.crashes } }

    func start() throws(EmbeddedServerError) {
        let thread = NativeThread.start(name: "postmaster") { self.run() }
        guard let thread else {
            throw EmbeddedServerError(
                "cannot start PostgreSQL", because: "the system refuses to start a thread",
                remedy: "Raise the limit of processes of this user (ulimit -u).")
        }
        thread.detach()
    }

    /// Fast shutdown; immediate when that takes too long; then the kernel's way. Returns when the server is gone.
    func stop(timeoutMilliseconds: Int) {
        state.withLock { $0.isStopping = true }
        for (signal, patience) in [(SIGINT, timeoutMilliseconds), (SIGQUIT, 5_000), (SIGKILL, 5_000)] {
            send(signal)
            if awaitEnd(milliseconds: patience) { return }
            logger.warning("PostgreSQL does not stop", metadata: ["signal": "\(signal)"])
        }
    }

    private func run() {
        var backoff = Backoff()
        while let child = spawn() {
            let startTime = time(nil)
            let code = child?.wait() ?? -1
            guard noteEnd() else { break }
            logger.error(
                "PostgreSQL ended unexpectedly; starting it again",
                metadata: ["exit": "\(code)", "said": "\(lastWords)", "log": "\(data.log)"])
            if time(nil) - startTime > Self.steadySeconds { backoff = Backoff() }
            usleep(UInt32(backoff.nextMilliseconds()) * 1_000)
        }
        state.withLock { $0.hasEnded = true }
    }

    /// Why it ended, if it said so: a full disk for one. What followed are the ends of its other processes.
    private var lastWords: String {
        let lines = (FilePath.tail(of: data.log, byteCountMax: 1 << 13) ?? "").split(separator: "\n")
        let fatal = lines.last { $0.contains(" PANIC: ") } ?? lines.last { $0.contains(" FATAL: ") }
        return String(fatal ?? lines.last ?? "nothing")
    }

    /// A server that ran this long did not fail because of how it was started.
    private static let steadySeconds = 60

    /// False when the end was asked for.
    private func noteEnd() -> Bool {
        state.withLock { state in
            state.pid = nil
            if !state.isStopping { state.crashes += 1 }
            return !state.isStopping
        }
    }

    /// Nil when the server is to stay down, a nil child when the system could not start it. Spawning under the lock:
    /// a `stop()` at the same time sees the process or prevents it.
    private func spawn() -> ChildProcess?? {
        let log = data.openLog()
        defer { close(log) }
        return state.withLock { state in
            guard !state.isStopping else { return nil }
            let child = ChildProcess.start(command, output: log)
            state.pid = child?.pid
            return .some(child)
        }
    }

    private func send(_ signal: Int32) {
        // Under the lock, because a process waited for has a number that may be somebody else's.
        state.withLock { state in
            if let pid = state.pid { _ = kill(pid, signal) }
        }
    }

    private func awaitEnd(milliseconds: Int) -> Bool {
        for _ in 0...(milliseconds / 10) {
            if state.withLock({ $0.hasEnded }) { return true }
            usleep(10_000)
        }
        return false
    }
}
