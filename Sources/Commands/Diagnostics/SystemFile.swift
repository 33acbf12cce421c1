#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Small files in which the kernel tells of itself: `/proc`, `/sys`, and `/etc/os-release`.
///
/// They come out of memory, so reading one on a cooperative thread holds up nobody.
enum SystemFile {
    private static let bytesMax = 1 << 20

    /// Nil when there is no such file or it cannot be read.
    static func text(_ path: String) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        while bytes.count < bytesMax {
            let part = readPart(of: file)
            guard let part else { return nil }
            if part.isEmpty { break }
            bytes += part
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func lines(_ path: String) -> [Substring] {
        text(path)?.split(separator: "\n") ?? []
    }

    /// A file that holds nothing but a number.
    static func integer(_ path: String) -> Int64? {
        text(path).flatMap { Int64(trimmed($0[...])) }
    }

    /// `key: value` or `key=value` lines, the first of each key; quotes around a value are taken off.
    static func settings(_ path: String, separator: Character) -> [String: String] {
        var settings: [String: String] = [:]
        for line in lines(path) {
            guard let middle = line.firstIndex(of: separator) else { continue }
            let key = trimmed(line[..<middle])
            if settings[key] == nil { settings[key] = trimmed(line[line.index(after: middle)...]) }
        }
        return settings
    }

    static func trimmed(_ text: Substring) -> String {
        func isEdge(_ character: Character) -> Bool { character.isWhitespace || character == "\"" }
        let start = text.drop(while: isEdge)
        guard let end = start.lastIndex(where: { !isEdge($0) }) else { return "" }
        return String(start[...end])
    }

    /// Empty at the end, nil on failure.
    private static func readPart(of file: CInt) -> [UInt8]? {
        var count = 0
        let part = [UInt8](unsafeUninitializedCapacity: 1 << 14) { buffer, initialized in
            count = read(file, buffer.baseAddress, buffer.count)
            initialized = max(count, 0)
        }
        return count < 0 ? nil : part
    }
}
