#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Where the server's unix socket lives: a directory that only the server's user (and root) may enter, which is what
/// protects a server that asks for no password.
enum SocketDirectory {
    /// A socket's address holds 107 bytes on Linux and 103 elsewhere; `/.s.PGSQL.5432` takes 14 of them.
    static let pathByteCountMax = 85

    static func make(in data: DataDirectory, for account: ServerAccount) throws(EmbeddedServerError) -> String {
        let near = FilePath.join(data.path, "run")
        let path = near.utf8.count <= pathByteCountMax ? near : shortPath(for: data)
        guard FilePath.makeDirectories(path, mode: 0o700), isPrivate(path, to: account), chmod(path, 0o700) == 0 else {
            throw EmbeddedServerError(
                "cannot make the socket directory \(path)", because: "it belongs to somebody else, or is a link",
                remedy: "Remove it, or choose a data directory with a shorter path.")
        }
        return path
    }

    /// The name follows from the data directory, so that a restart finds its own directory again.
    private static func shortPath(for data: DataDirectory) -> String {
        // FNV-1a: the lock file decides about conflicts, so no more than a spread of names is asked of it.
        let hash = data.path.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        return "/tmp/martlet-\(String(hash, radix: 36))"
    }

    /// In a directory where anyone may write, somebody may have been there first.
    private static func isPrivate(_ path: String, to account: ServerAccount) -> Bool {
        guard let status = FilePath.status(path), status.st_mode & S_IFMT == S_IFDIR else { return false }
        if status.st_uid == account.user { return true }
        return status.st_uid == geteuid() && account.own(path)
    }
}
