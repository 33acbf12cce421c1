extension Rule {
    /// Who may import what: the targets of `Package.swift`, and the edge that no arrow may cross upward. SwiftPM lets a
    /// source file import whatever has been built; only this table makes the layers hold.
    static let layers: [String: Set<String>] = [
        "Metrics": [],
        "BSON": ["CDecimal", "NIOCore", "NIOConcurrencyHelpers"],
        "SQL": ["NIOCore"],
        "WireProtocol": ["BSON", "CZlib", "CSnappy", "CZstd", "NIOCore", "NIOConcurrencyHelpers"],
        "CommandModel": ["BSON", "NIOCore"],
        "Query": ["BSON", "CommandModel", "CICU", "CPCRE2", "CS2", "CStemmer", "NIOCore", "Crypto"],
        "Access": ["BSON", "CommandModel", "CICU", "NIOCore", "Crypto"],
        "SchemaSQL": [],
        "LivePage": ["BSON", "Crypto"],
        "Postgres": ["CLibPQ", "CSpawn", "SQL", "Metrics", "NIOCore", "Logging", "DequeModule"],
        "Storage": [
            "Access", "BSON", "SQL", "CommandModel", "Query", "Postgres", "SchemaSQL", "Metrics", "NIOCore",
            "NIOConcurrencyHelpers", "Logging", "Crypto", "DequeModule",
        ],
        "Commands": [
            "Access", "BSON", "CommandModel", "Query", "Storage", "Metrics", "NIOCore", "NIOConcurrencyHelpers",
            "DequeModule",
            "Logging",
        ],
        "Server": [
            "Access", "BSON", "WireProtocol", "CommandModel", "Commands", "LivePage", "Storage", "Postgres", "Metrics",
            "NIOCore", "NIOPosix",
            "NIOHTTP1", "NIOSSL", "NIOConcurrencyHelpers", "DequeModule", "Logging", "ServiceLifecycle", "UnixSignals",
            "Foundation",
        ],
        "martlet": [
            "Server", "Logging", "ArgumentParser", "Configuration", "ServiceLifecycle", "UnixSignals", "SystemPackage",
            "Foundation",
        ],
    ]

    /// The C library under its names on the platforms, and what belongs to the language.
    static let everywhere: Set = ["Glibc", "Musl", "Darwin", "Synchronization"]

    static let imports = Rule(name: "a target imports only what its layer may") { file in
        guard let target = file.target, file.isSwift else { return [] }
        guard let allowed = layers[target] else {
            return [Violation(path: file.path, line: 1, message: "target \(target) is not in the table of layers")]
        }
        return try file.code.enumerated().compactMap { index, line in
            guard let module = try importedModule(line), !allowed.contains(module), !everywhere.contains(module) else {
                return nil
            }
            return Violation(path: file.path, line: index + 1, message: "\(target) must not import \(module)")
        }
    }

    /// `NIOCore` for `@preconcurrency package import struct NIOCore.ByteBuffer`.
    static func importedModule(_ line: String) throws -> String? {
        let words = line.split(separator: " ")
        guard let index = words.firstIndex(of: "import"),
            words[..<index].allSatisfy({ $0.hasPrefix("@") || accessLevels.contains(String($0)) })
        else { return nil }
        let kinds: Set = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        let name = words[(index + 1)...].first { !kinds.contains(String($0)) }
        return name.flatMap { $0.split(separator: ".").first }.map(String.init)
    }

    private static let accessLevels: Set = ["public", "package", "internal", "fileprivate", "private"]
}
