import Foundation

/// The files of the package that people write.
struct SourceTree {
    let files: [SourceText]

    static let root = URL(filePath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static let folders = ["Sources", "Tests", "sql", "Benchmarks", "scripts"]
    private static let extensions: Set = [
        "swift", "c", "h", "modulemap", "sql", "py", "js", "go", "php", "rb", "pl", "sh", "md",
    ]

    /// Read once for all tests.
    static let package = Result { try SourceTree(root: root) }

    init(root: URL) throws {
        let top = try FileManager.default.contentsOfDirectory(atPath: root.path)
        var paths = top.filter { Self.extensions.contains(URL(filePath: $0).pathExtension) }
        for folder in Self.folders {
            let below = FileManager.default.enumerator(atPath: root.appending(path: folder).path)
            while let path = below?.nextObject() as? String {
                if Self.extensions.contains(URL(filePath: path).pathExtension) { paths.append("\(folder)/\(path)") }
            }
        }
        files = try paths.sorted().map { path in
            SourceText(path: path, text: try String(contentsOf: root.appending(path: path), encoding: .utf8))
        }
    }
}
