package import CommandModel
package import Metrics
package import Query
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Where sorts put what they cannot hold in memory.
///
/// A file loses its name as soon as it is open: whatever happens to this process, nothing is left of it. All files
/// together are bounded, because a full disk would stop PostgreSQL, too.
package final class SpillDirectory: SpillSpace {
    package static let bytesMaxDefault = 20 << 30

    package let path: String
    package let bytesMax: Int
    package let metrics: SpillMetrics

    package init(path: String = systemDefault, bytesMax: Int = bytesMaxDefault, metrics: SpillMetrics = .init()) {
        self.path = path
        self.bytesMax = bytesMax
        self.metrics = metrics
    }

    /// In the system's directory for temporary files, one for each user.
    package static var systemDefault: String {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        return "\(parent)/martlet-spill-\(getuid())"
    }

    /// - Returns: why nothing can be written here; nil when it can.
    package func problem() -> String? {
        do throws(CommandError) {
            _ = try makeFile()
            return nil
        } catch { return error.message }
    }

    package func makeFile() throws(CommandError) -> any SpillFile {
        // Others may read what lies in a directory of theirs.
        if mkdir(path, 0o700) != 0, errno != EEXIST { throw Self.failure("make the directory \(path)") }
        var status = stat()
        guard stat(path, &status) == 0 else { throw Self.failure("look at the directory \(path)") }
        guard status.st_uid == getuid(), status.st_mode & 0o022 == 0 else {
            throw CommandError(
                .internalError,
                "the directory for temporary files, \(path), belongs to others or others may write to it")
        }
        let descriptor = try openUnnamed()
        metrics.files.count()
        return TemporaryFile(descriptor, in: self)
    }

    private func openUnnamed() throws(CommandError) -> Int32 {
        let name = "\(path)/\(UInt64.random(in: 0...UInt64.max))"
        let descriptor = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure("make a file in \(path)") }
        unlink(name)
        return descriptor
    }

    fileprivate func take(_ count: Int) throws(CommandError) {
        guard metrics.bytesHeld.add(count) <= bytesMax else {
            _ = metrics.bytesHeld.add(-count)
            throw Self.noRoom("the \(bytesMax) bytes that temporary files may take (--spill-max-bytes) are taken")
        }
        metrics.bytesWritten.count(count)
    }

    fileprivate func giveBack(_ count: Int) {
        _ = metrics.bytesHeld.add(-count)
    }

    fileprivate static func failure(_ verb: String) -> CommandError {
        let reason = String(cString: strerror(errno))
        if errno == ENOSPC || errno == EDQUOT || errno == EFBIG { return noRoom("cannot \(verb): \(reason)") }
        return CommandError(.internalError, "cannot \(verb): \(reason)")
    }

    private static func noRoom(_ message: String) -> CommandError {
        CommandError(ErrorCode(14031, "OutOfDiskSpace"), message)
    }
}

/// How much goes to temporary files.
package final class SpillMetrics: Sendable {
    /// Sorts, and merges of many runs: each has a file.
    package let files = Counter()
    package let bytesWritten = Counter()
    fileprivate let bytesHeld = ByteCount()

    package init() {}

    /// What all open files take now.
    package var bytesOpen: Int { bytesHeld.value }
}

/// A sum that tells its new value to who changes it.
private final class ByteCount: Sendable {
    private let count = Atomic<Int>(0)

    var value: Int { count.load(ordering: .relaxed) }

    func add(_ change: Int) -> Int { count.add(change, ordering: .relaxed).newValue }
}

/// One file without a name.
private final class TemporaryFile: SpillFile {
    private let descriptor: Int32
    private let directory: SpillDirectory
    private let written = Atomic<Int>(0)

    init(_ descriptor: Int32, in directory: SpillDirectory) {
        self.descriptor = descriptor
        self.directory = directory
    }

    deinit {
        close(descriptor)
        directory.giveBack(byteCount)
    }

    var byteCount: Int { written.load(ordering: .relaxed) }

    func append(_ bytes: UnsafeRawBufferPointer) throws(CommandError) {
        try directory.take(bytes.count)
        var rest = bytes
        // Counted before it is written: what was taken is given back when the file goes, however far this gets.
        var offset = written.add(bytes.count, ordering: .relaxed).oldValue
        while let start = rest.baseAddress, !rest.isEmpty {
            let count = pwrite(descriptor, start, rest.count, off_t(offset))
            if count < 0 {
                if errno == EINTR { continue }
                throw SpillDirectory.failure("write to a file in \(directory.path)")
            }
            offset += count
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(CommandError) {
        var offset = offset
        var rest = buffer
        while let start = rest.baseAddress, !rest.isEmpty {
            let count = pread(descriptor, start, rest.count, off_t(offset))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                if count == 0 { errno = EIO }
                throw SpillDirectory.failure("read from a file in \(directory.path)")
            }
            offset += count
            rest = UnsafeMutableRawBufferPointer(rebasing: rest[count...])
        }
    }
}
