internal import NIOCore

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// What there is to know about the machine. It does not change while the server runs, so it is read once.
struct HostFacts: Sendable {
    static let current = HostFacts()

    let system: UName
    let processor: Processor
    let memory: Memory
    let release = SystemFile.settings("/etc/os-release", separator: "=")
    let versionString: String
    /// Empty where there is no GNU C library.
    let libcVersion: String
    let openFilesMax: Int64

    private init() {
        system = UName()
        processor = Processor()
        memory = Memory()
        versionString = SystemFile.text("/proc/version").map { SystemFile.trimmed($0[...]) } ?? system.version
        libcVersion = Self.readLibcVersion()
        openFilesMax = Self.openFilesLimit()
    }

    private static func readLibcVersion() -> String {
        #if canImport(Glibc)
            let text = [CChar](unsafeUninitializedCapacity: 64) { buffer, initialized in
                initialized = min(confstr(Int32(_CS_GNU_LIBC_VERSION), buffer.baseAddress, buffer.count), buffer.count)
            }
            // "glibc 2.36"; only the number is wanted.
            let version = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            return version.split(separator: " ").last.map(String.init) ?? ""
        #else
            return ""
        #endif
    }

    /// How many files, sockets included, this process may hold open.
    static func openFilesLimit() -> Int64 {
        var limit = rlimit()
        #if canImport(Glibc)
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
            let resource = RLIMIT_NOFILE
        #endif
        guard getrlimit(resource, &limit) == 0 else { return 0 }
        return Int64(clamping: limit.rlim_cur)
    }
}

extension HostFacts {
    struct UName: Sendable {
        let kernel, release, version, machine: String

        init() {
            var name = utsname()
            uname(&name)
            kernel = Self.string(name.sysname)
            release = Self.string(name.release)
            version = Self.string(name.version)
            machine = Self.string(name.machine)
        }

        /// A C array of characters, which Swift sees as a tuple.
        private static func string<T>(_ characters: T) -> String {
            withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
    }

    struct Processor: Sendable {
        let model, frequencyMHz, features: String
        let logicalCores, physicalCores, sockets, numaNodes: Int
        /// Those that this process may run on.
        let availableCores: Int

        init() {
            let facts = SystemFile.settings("/proc/cpuinfo", separator: ":")
            model = facts["model name"] ?? ""
            frequencyMHz = facts["cpu MHz"] ?? ""
            features = facts["flags"] ?? facts["Features"] ?? ""
            logicalCores = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
            let (cores, sockets) = Self.topology()
            // In a container or on an architecture that does not tell, each logical core counts as one.
            physicalCores = cores > 0 ? cores : logicalCores
            self.sockets = max(1, sockets)
            numaNodes = Self.countInRanges(SystemFile.text("/sys/devices/system/node/online") ?? "0")
            let status = SystemFile.settings("/proc/self/status", separator: ":")
            availableCores = status["Cpus_allowed_list"].map(Self.countInRanges) ?? logicalCores
        }

        /// Distinct cores and sockets; both 0 when `/proc/cpuinfo` is silent about them.
        private static func topology() -> (cores: Int, sockets: Int) {
            var sockets: Set<String> = []
            var cores: Set<[String]> = []
            var socket = ""
            for line in SystemFile.lines("/proc/cpuinfo") {
                guard let colon = line.firstIndex(of: ":") else { continue }
                let value = SystemFile.trimmed(line[line.index(after: colon)...])
                if line.hasPrefix("physical id") {
                    socket = value
                    sockets.insert(value)
                } else if line.hasPrefix("core id") {
                    cores.insert([socket, value])
                }
            }
            return (cores.count, sockets.count)
        }

        /// The numbers in a list like `0-3,8`; at least 1.
        static func countInRanges(_ list: String) -> Int {
            var count = 0
            for range in SystemFile.trimmed(list[...]).split(separator: ",") {
                let bounds = range.split(separator: "-").compactMap { Int($0) }
                if let first = bounds.first, let last = bounds.last, last >= first { count += last - first + 1 }
            }
            return max(1, count)
        }
    }

    struct Memory: Sendable {
        let pageSize = Int64(max(1, sysconf(Int32(_SC_PAGESIZE))))
        let pages = Int64(max(1, sysconf(Int32(_SC_PHYS_PAGES))))
        /// What the container allows, when it allows less than there is.
        let limit: Int64

        var size: Int64 { pages * pageSize }

        init() {
            let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
                .compactMap(SystemFile.integer).filter { $0 > 0 }
            limit = min(pages * pageSize, limits.min() ?? .max)
        }
    }
}
