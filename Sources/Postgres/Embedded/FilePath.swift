#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// The few file operations that starting a server needs. A path is a plain string.
enum FilePath {
    static func join(_ directory: String, _ name: String) -> String {
        directory.hasSuffix("/") ? directory + name : directory + "/" + name
    }

    /// Without `..` and the working directory, which the server's processes do not share.
    static func absolute(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        guard let current = getcwd(nil, 0) else { return path }
        defer { free(current) }
        return join(String(cString: current), path)
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    static func isExecutable(_ path: String) -> Bool { access(path, X_OK) == 0 }

    static func status(_ path: String) -> stat? {
        var status = stat()
        return lstat(path, &status) == 0 ? status : nil
    }

    /// Makes the directory and its parents; false with `errno` set when that fails.
    static func makeDirectories(_ path: String, mode: mode_t) -> Bool {
        if mkdir(path, mode) == 0 || (errno == EEXIST && isDirectory(path)) { return true }
        guard errno == ENOENT, let parent = parent(of: path), makeDirectories(parent, mode: 0o755) else { return false }
        return mkdir(path, mode) == 0
    }

    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    static func parent(of path: String) -> String? {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return nil }
        return String(path[..<slash])
    }

    /// The names in a directory, `.` and `..` included.
    static func names(in directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            names.append(
                withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                })
        }
        return names
    }

    /// The last `byteCountMax` bytes of a file, or all of it.
    static func tail(of path: String, byteCountMax: Int = 1 << 20) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        let end = lseek(file, 0, SEEK_END)
        lseek(file, max(0, end - off_t(byteCountMax)), SEEK_SET)
        return String(decoding: readAll(file, byteCountMax: byteCountMax), as: UTF8.self)
    }

    static func readAll(_ file: Int32, byteCountMax: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4_096)
        while bytes.count < byteCountMax {
            let count = read(file, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            bytes.append(contentsOf: chunk.prefix(count))
        }
        return bytes
    }

    /// Replaces a file in one step: a crash leaves the old one or the new one.
    static func replace(_ path: String, with text: String, mode: mode_t) -> Bool {
        let draft = path + ".new"
        let file = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard file >= 0 else { return false }
        let bytes = Array(text.utf8)
        let isWritten = write(file, bytes, bytes.count) == bytes.count && fsync(file) == 0
        close(file)
        return isWritten && rename(draft, path) == 0
    }

    static var lastError: String { String(cString: strerror(errno)) }
}
