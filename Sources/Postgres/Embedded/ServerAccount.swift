#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// The user that PostgreSQL runs as. It refuses to be root, so for root it is somebody with fewer rights.
struct ServerAccount: Equatable {
    let user: uid_t
    let group: gid_t
    /// Whether that is another user than we are.
    let isOther: Bool
    private let setpriv: String?

    /// Us, unless we are root; then the owner of a cluster that exists, `postgres`, or `nobody`.
    static func choose(clusterDirectory: String) throws(EmbeddedServerError) -> ServerAccount {
        let setpriv = ["/usr/bin/setpriv", "/bin/setpriv", "/usr/local/bin/setpriv"].first(where: FilePath.isExecutable)
        guard geteuid() == 0 else {
            return ServerAccount(user: geteuid(), group: getegid(), isOther: false, setpriv: setpriv)
        }
        guard setpriv != nil else {
            throw EmbeddedServerError(
                "cannot start PostgreSQL",
                because: "it does not run as root, and setpriv, which would start it as "
                    + "another user, is not installed",
                remedy: "Install util-linux, or start Martlet as an ordinary user.")
        }
        if let owner = FilePath.status(clusterDirectory), owner.st_uid != 0 {
            return ServerAccount(user: owner.st_uid, group: owner.st_gid, isOther: true, setpriv: setpriv)
        }
        return try known(setpriv: setpriv)
    }

    private static func known(setpriv: String?) throws(EmbeddedServerError) -> ServerAccount {
        for name in ["postgres", "nobody"] {
            if let entry = getpwnam(name), entry.pointee.pw_uid != 0 {
                return ServerAccount(
                    user: entry.pointee.pw_uid, group: entry.pointee.pw_gid, isOther: true, setpriv: setpriv)
            }
        }
        throw EmbeddedServerError(
            "cannot start PostgreSQL", because: "it does not run as root, and there is no user postgres or nobody",
            remedy: "Add a user (useradd --system postgres), or start Martlet as an ordinary user.")
    }

    /// `command` as this user, in a working directory it can read.
    ///
    /// With `endsWithUs`, the kernel asks it to shut down when the *thread* that spawned it ends, by whatever means:
    /// nothing of ours gets to run after `kill -9`. Each step replaces the one before, so the process keeps its number.
    func command(_ command: [String], endsWithUs: Bool = false) -> [String] {
        var prefix = ["/bin/sh", "-c", "cd / && exec \"$@\"", "sh"]
        if let setpriv, isOther || endsWithUs {
            prefix.append(setpriv)
            if isOther { prefix += ["--reuid=\(user)", "--regid=\(group)", "--clear-groups"] }
            if endsWithUs { prefix.append("--pdeathsig=INT") }
            prefix.append("--")
        }
        return prefix + command
    }

    /// Hands a file or directory over, when it is not us who will use it.
    func own(_ path: String) -> Bool {
        !isOther || lchown(path, user, group) == 0
    }
}
