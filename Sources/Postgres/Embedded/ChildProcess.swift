internal import CSpawn

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// A program started by us: spawned, never forked, because a fork of a process with threads may do next to nothing.
struct ChildProcess {
    let pid: pid_t

    /// Starts `arguments[0]` with its output going to `output`. The child is the leader of a process group of its
    /// own, so that Ctrl-C at our terminal is our business alone, and it has default signal handling.
    static func start(_ arguments: [String], output: Int32) -> ChildProcess? {
        let actions = UnsafeMutablePointer<posix_spawn_file_actions_t>.allocate(capacity: 1)
        let attributes = UnsafeMutablePointer<posix_spawnattr_t>.allocate(capacity: 1)
        posix_spawn_file_actions_init(actions)
        posix_spawnattr_init(attributes)
        defer {
            posix_spawn_file_actions_destroy(actions)
            posix_spawnattr_destroy(attributes)
            actions.deallocate()
            attributes.deallocate()
        }
        posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(actions, output, STDERR_FILENO)
        // Not every descriptor of ours is close-on-exec, the listening socket for one: a postmaster that outlives us
        // for a moment would hold our port.
        posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1)
        setDefaults(attributes)
        return spawn(arguments, actions, attributes)
    }

    private static func setDefaults(_ attributes: UnsafeMutablePointer<posix_spawnattr_t>) {
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(attributes, &signals)
        posix_spawnattr_setpgroup(attributes, 0)
        let flags = Int32(POSIX_SPAWN_SETSIGMASK) | Int32(POSIX_SPAWN_SETSIGDEF) | Int32(POSIX_SPAWN_SETPGROUP)
        posix_spawnattr_setflags(attributes, Int16(truncatingIfNeeded: flags))
    }

    private static func spawn(
        _ arguments: [String], _ actions: UnsafeMutablePointer<posix_spawn_file_actions_t>,
        _ attributes: UnsafeMutablePointer<posix_spawnattr_t>
    ) -> ChildProcess? {
        var pid: pid_t = 0
        let outcome = withCStrings(arguments) { argv in
            withCStrings(environment) { environment in
                posix_spawn(
                    &pid, arguments[0], actions, attributes, UnsafePointer(OpaquePointer(argv)),
                    UnsafePointer(OpaquePointer(environment)))
            }
        }
        return outcome == 0 ? ChildProcess(pid: pid) : nil
    }

    /// None of ours: a `PGDATA` or `LC_ALL` of the user must not reach the private server.
    private static let environment = [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TZ=UTC", "HOME=/",
    ]

    /// Waits for the end. The exit code, or 128 and the signal, as shells have it.
    func wait() -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 {
            if errno != EINTR { return -1 }
        }
        let signal = status & 0x7F
        return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
    }

    /// Runs a program to its end. Its output is cut at 64 kB.
    static func run(_ arguments: [String]) -> (code: Int32, output: String) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return (-1, FilePath.lastError) }
        defer { close(ends[0]) }
        // Not atomic with pipe(): a child spawned in between holds the end open a little longer, nothing worse.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let child = start(arguments, output: ends[1])
        close(ends[1])
        guard let child else { return (127, "cannot run \(arguments[0])") }
        let output = FilePath.readAll(ends[0], byteCountMax: 1 << 16)
        return (child.wait(), String(decoding: output, as: UTF8.self))
    }
}
