#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Keeps a second Martlet off a data directory. The kernel lets go of it when the process ends, however it ends.
struct DirectoryLock: ~Copyable {
    private let file: Int32

    private init(holding file: Int32) {
        self.file = file
    }

    static func acquire(_ directory: DataDirectory) throws(EmbeddedServerError) -> DirectoryLock {
        let file = open(directory.lockFile, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw EmbeddedServerError(
                "cannot open \(directory.lockFile)", because: FilePath.lastError,
                remedy: "Give the data directory to this user, or name another one with --data-directory.")
        }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            close(file)
            throw isInUse(directory)
        }
        let owner = Array("\(getpid())\n".utf8)
        ftruncate(file, 0)
        _ = write(file, owner, owner.count)
        return DirectoryLock(holding: file)
    }

    private static func isInUse(_ directory: DataDirectory) -> EmbeddedServerError {
        let owner = FilePath.tail(of: directory.lockFile).flatMap { Int32($0.prefix { $0.isNumber }) }
        return EmbeddedServerError(
            "cannot use the data directory \(directory.path)",
            because: "another Martlet" + (owner.map { " (process \($0))" } ?? "") + " is using it",
            remedy: "Stop that one, or name another directory with --data-directory.")
    }

    deinit {
        close(file)
    }
}
