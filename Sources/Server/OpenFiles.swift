internal import Commands
internal import Logging

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// How many files, sockets included, this process may have open.
enum OpenFiles {
    /// For connections to PostgreSQL, listeners, temporary files.
    static let reserved = 200

    /// Takes as many files as the system allows, and no more connections than that leaves room for.
    static func limits(_ settings: ClientLimits.Settings, _ logger: Logger) -> ClientLimits {
        var settings = settings
        let possible = max(1, raise(to: settings.connectionsMax + reserved) - reserved)
        if possible < settings.connectionsMax {
            logger.warning(
                "the limit on open files (ulimit -n) leaves room for fewer connections than --max-connections",
                metadata: ["connections": "\(possible)", "asked": "\(settings.connectionsMax)"])
            settings.connectionsMax = possible
        }
        return ClientLimits(settings)
    }

    /// - Returns: how many there may be now.
    private static func raise(to wanted: Int) -> Int {
        #if canImport(Glibc)
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
            let resource = RLIMIT_NOFILE
        #endif
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return wanted }
        guard limit.rlim_cur < rlim_t(wanted) else { return wanted }
        limit.rlim_cur = min(limit.rlim_max, rlim_t(wanted))
        _ = setrlimit(resource, &limit)
        guard getrlimit(resource, &limit) == 0 else { return wanted }
        return Int(clamping: limit.rlim_cur)
    }
}
