#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// The settings of the private server: `martlet.conf`, written anew at each start and included by `postgresql.conf`.
/// `ALTER SYSTEM` stays above it.
struct ServerConfiguration {
    let socketDirectory: String
    let connectionsMax: Int
    let memoryByteCount: Int
    let extra: [ConnectionOptions.Setting]

    static let includeLine = "include_if_exists = 'martlet.conf'"

    var settings: [ConnectionOptions.Setting] {
        (reachability + memory + durability + planning + upkeep).map { .init($0, $1) } + extra
    }

    var text: String {
        let lines = settings.map { "\($0.name) = '\(escaped($0.value))'\n" }
        return "# Written by Martlet at each start. Use ALTER SYSTEM for changes that last.\n" + lines.joined()
    }

    private var reachability: [(String, String)] {
        [
            ("listen_addresses", ""), ("unix_socket_directories", quotedInList(socketDirectory)),
            ("unix_socket_permissions", "0700"), ("port", "\(EmbeddedServer.port)"),
            ("max_connections", "\(connectionsMax)"), ("cluster_name", "martlet"),
        ]
    }

    /// A quarter of the memory is PostgreSQL's own advice; the bound leaves room for whatever else runs here.
    private var memory: [(String, String)] {
        let megabytes = memoryByteCount >> 20
        return [
            ("shared_buffers", "\(min(max(megabytes / 4, 64), 1_024))MB"),
            ("effective_cache_size", "\(max(megabytes / 2, 128))MB"),
            ("maintenance_work_mem", "\(min(max(megabytes / 16, 32), 512))MB"), ("work_mem", "16MB"),
            // Each collection has several tables, and a dump locks all of them at once.
            ("max_locks_per_transaction", "256"),
        ]
    }

    /// Acknowledged means flushed: the first three are PostgreSQL's defaults, written down because we rely on them.
    private var durability: [(String, String)] {
        [
            ("fsync", "on"), ("synchronous_commit", "on"), ("full_page_writes", "on"), ("wal_compression", "on"),
            ("wal_buffers", "16MB"), ("max_wal_size", "2GB"), ("min_wal_size", "128MB"),
            ("checkpoint_timeout", "10min"), ("checkpoint_completion_target", "0.9"),
        ]
    }

    private var planning: [(String, String)] {
        [
            ("jit", "off"), ("random_page_cost", "1.1"),
            // Cursors are never parallel, and the shared memory of containers is too small for workers' queues.
            ("max_parallel_workers_per_gather", "0"), ("max_parallel_maintenance_workers", "0"),
        ]
    }

    private var upkeep: [(String, String)] {
        [
            // Hot documents make dead rows quickly.
            ("autovacuum_naptime", "15s"), ("autovacuum_vacuum_scale_factor", "0.05"),
            ("autovacuum_analyze_scale_factor", "0.05"), ("timezone", "UTC"), ("log_timezone", "UTC"),
            // Statements that fail are traffic (duplicate keys, lost races): they are reported to whoever sent them.
            ("log_min_messages", "log"), ("log_checkpoints", "off"), ("log_line_prefix", "%m [%p] "),
        ]
    }

    private func escaped(_ value: String) -> String {
        String(value.flatMap { $0 == "'" ? "''" : $0 == "\\" ? "\\\\" : String($0) })
    }

    /// The setting is a list of identifiers: a path with a comma or blank needs quotation marks of its own.
    private func quotedInList(_ path: String) -> String {
        "\"" + path.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}

extension ServerConfiguration {
    /// What this process may use: the machine's memory, or the limit of its container.
    static func availableMemory() -> Int {
        let physical = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
        let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        return limits.compactMap { FilePath.tail(of: $0).flatMap { Int($0.prefix { $0.isNumber }) } }
            .reduce(physical > 0 ? physical : 1 << 30, min)
    }

    func write(to data: DataDirectory, for account: ServerAccount) throws(EmbeddedServerError) {
        let main = FilePath.join(data.cluster, "postgresql.conf")
        let current = FilePath.tail(of: main, byteCountMax: 4 << 20) ?? ""
        let isIncluded = current.split(separator: "\n").contains { $0 == Self.includeLine }
        guard
            FilePath.replace(data.settingsFile, with: text, mode: 0o600), account.own(data.settingsFile),
            isIncluded || FilePath.replace(main, with: current + "\n\(Self.includeLine)\n", mode: 0o600),
            account.own(main)
        else {
            throw EmbeddedServerError(
                "cannot write the server's settings in \(data.cluster)", because: FilePath.lastError,
                remedy: "Make room on the disk, or give the data directory to this user.")
        }
    }
}
