#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// An installation of PostgreSQL.
struct ServerBinaries: Equatable {
    let directory: String
    let majorVersion: Int

    static let majorVersionMin = 15

    var postgres: String { FilePath.join(directory, "postgres") }
    var initdb: String { FilePath.join(directory, "initdb") }

    /// The installation to use: the one named, or else the newest that fits. A cluster that exists opens only with
    /// its own major version.
    static func find(named: String?, forCluster version: Int?) throws(EmbeddedServerError) -> ServerBinaries {
        if let named { return try require(named, forCluster: version) }
        let found = candidates().compactMap(inspect).filter { $0.majorVersion >= majorVersionMin }
        let fitting = found.filter { version == nil || $0.majorVersion == version }
        if let best = fitting.max(by: { $0.majorVersion < $1.majorVersion }) { return best }
        throw EmbeddedServerError(
            "cannot find PostgreSQL", because: reason(found: found, version: version),
            remedy: "Install PostgreSQL \(version.map(String.init) ?? "15 or newer") (Debian, Ubuntu: apt-get install "
                + "postgresql), name the directory of its programs in --postgresql-bin, or use a server that runs "
                + "already with --postgresql-url.")
    }

    private static func require(_ directory: String, forCluster version: Int?) throws(EmbeddedServerError)
        -> ServerBinaries
    {
        guard let binaries = inspect(directory) else {
            throw EmbeddedServerError(
                "cannot use the PostgreSQL in \(directory)", because: "postgres and initdb do not run there",
                remedy: "Name the directory that holds both, for example /usr/lib/postgresql/15/bin.")
        }
        guard binaries.majorVersion >= majorVersionMin, version == nil || version == binaries.majorVersion else {
            throw EmbeddedServerError(
                "cannot use the PostgreSQL in \(directory)",
                because: "it is version \(binaries.majorVersion), and "
                    + (version.map { "the data directory was made by version \($0)" } ?? "Martlet needs 15 or newer"),
                remedy: "Name a matching version, or bring the data over with pg_upgrade.")
        }
        return binaries
    }

    private static func reason(found: [ServerBinaries], version: Int?) -> String {
        guard let version, !found.isEmpty else { return "no PostgreSQL 15 or newer is installed in the usual places" }
        let versions = found.map { String($0.majorVersion) }.joined(separator: ", ")
        return "the data directory was made by version \(version), and installed is only \(versions)"
    }

    private static func candidates() -> [String] {
        let packaged = ["/usr/lib/postgresql", "/usr/local/lib/postgresql", "/opt/postgresql"]
        let byVersion = packaged.flatMap { root in
            FilePath.names(in: root).filter { Int($0) != nil }.map { "\(root)/\($0)/bin" }
        }
        let redHat = FilePath.names(in: "/usr").filter { $0.hasPrefix("pgsql-") }.map { "/usr/\($0)/bin" }
        return [configuredDirectory()].compactMap { $0 } + byVersion + redHat + searchPath()
    }

    private static func configuredDirectory() -> String? {
        guard let tool = searchPath().map({ FilePath.join($0, "pg_config") }).first(where: FilePath.isExecutable) else {
            return nil
        }
        let (code, output) = ChildProcess.run([tool, "--bindir"])
        return code == 0 ? output.split(separator: "\n").first.map(String.init) : nil
    }

    private static func searchPath() -> [String] {
        guard let path = getenv("PATH") else { return ["/usr/bin", "/usr/local/bin"] }
        return String(cString: path).split(separator: ":").map(String.init)
    }

    private static func inspect(_ directory: String) -> ServerBinaries? {
        let postgres = FilePath.join(directory, "postgres")
        guard FilePath.isExecutable(postgres), FilePath.isExecutable(FilePath.join(directory, "initdb")) else {
            return nil
        }
        let (code, output) = ChildProcess.run([postgres, "--version"])
        guard code == 0, let version = majorVersion(ofBanner: output) else { return nil }
        return ServerBinaries(directory: directory, majorVersion: version)
    }

    /// "postgres (PostgreSQL) 15.4 (Debian 15.4-1)" and "postgres (PostgreSQL) 17beta1".
    static func majorVersion(ofBanner banner: String) -> Int? {
        let words = banner.split(separator: " ")
        return words.lazy.compactMap { Int($0.prefix { $0.isNumber }) }.first
    }
}
