#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// The files of a private server: `cluster/` is PostgreSQL's own, the rest is ours.
struct DataDirectory {
    let path: String

    var cluster: String { FilePath.join(path, "cluster") }
    var log: String { FilePath.join(path, "postgresql.log") }
    var lockFile: String { FilePath.join(path, "martlet.lock") }
    var settingsFile: String { FilePath.join(cluster, "martlet.conf") }
    var postmasterFile: String { FilePath.join(cluster, "postmaster.pid") }

    init(_ path: String) {
        self.path = FilePath.absolute(path)
    }

    /// The major version that made the cluster; nil when there is none yet.
    var clusterVersion: Int? {
        FilePath.tail(of: FilePath.join(cluster, "PG_VERSION")).flatMap { Int($0.prefix { $0.isNumber }) }
    }

    func makeIfMissing() throws(EmbeddedServerError) {
        guard FilePath.makeDirectories(path, mode: 0o700) else {
            throw EmbeddedServerError(
                "cannot make the data directory \(path)", because: FilePath.lastError,
                remedy: "Name another one with --data-directory, or make it and give it to this user.")
        }
    }

    /// Makes the cluster if it is missing. It is made under another name first: an `initdb` cut short leaves nothing
    /// that looks like a cluster.
    func initialize(_ binaries: ServerBinaries, as account: ServerAccount) throws(EmbeddedServerError) {
        guard clusterVersion == nil else { return }
        try handOver(to: account)
        let draft = cluster + ".new"
        _ = ChildProcess.run(account.command(["/bin/rm", "-rf", draft]))
        let (code, output) = ChildProcess.run(account.command(initdbCommand(binaries, into: draft)))
        guard code == 0, rename(draft, cluster) == 0 else {
            throw EmbeddedServerError(
                "cannot make a database cluster in \(path)",
                because: code == 0 ? FilePath.lastError : lastLines(of: output),
                remedy: "Put right what initdb complains about, or name another directory with --data-directory.")
        }
    }

    /// Everything through the socket is let in, because the directory of the socket lets in only this user and root.
    private func initdbCommand(_ binaries: ServerBinaries, into directory: String) -> [String] {
        [
            binaries.initdb, "--pgdata=\(directory)", "--username=\(EmbeddedServer.userName)", "--encoding=UTF8",
            "--locale=C", "--data-checksums", "--auth-local=trust", "--auth-host=reject", "--no-instructions",
        ]
    }

    private func handOver(to account: ServerAccount) throws(EmbeddedServerError) {
        let isReachable = account.own(path) && ChildProcess.run(account.command(["/bin/ls", path])).code == 0
        guard !isReachable else { return }
        throw EmbeddedServerError(
            "cannot use the data directory \(path)",
            because: "PostgreSQL runs as user number \(account.user), who may not enter a directory above it",
            remedy: "Name another one with --data-directory (for example /var/lib/martlet), or start Martlet as the "
                + "user that owns it.")
    }

    /// Opens the log for appending. What grew large is kept once under another name.
    func openLog() -> Int32 {
        if let status = FilePath.status(log), status.st_size > 10 << 20 { rename(log, log + ".1") }
        return open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    }
}

/// The end of a program's output, on one line.
func lastLines(of output: String, count: Int = 6) -> String {
    let lines = output.split(separator: "\n").suffix(count)
    return lines.isEmpty ? "it said nothing" : lines.joined(separator: " / ")
}
