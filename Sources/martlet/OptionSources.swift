import ArgumentParser
import Configuration
import Foundation

/// What the command line, the environment and the file say of each option: the first of these that gives it counts.
///
/// What is given and makes no sense is refused, never taken for not given: who writes `auth: yess` must not get a
/// server that is open to everybody.
struct OptionSources {
    private struct Source {
        let values: any ConfigSnapshot
        /// How an option is called there, and how errors name that.
        let key: @Sendable (String) -> AbsoluteConfigKey
        let name: @Sendable (String) -> String
    }

    private let sources: [Source]
    /// Variables that look like options and are none.
    let strangeVariables: [String]

    init(_ options: ServeOptions) throws {
        let environment = ProcessInfo.processInfo.environment
        var sources = [
            Source(
                values: InMemoryProvider(name: "command line", values: Self.values(of: options)).snapshot(),
                key: { [$0] }, name: Self.flag),
            Source(
                values: EnvironmentVariablesProvider(environmentVariables: environment).snapshot(),
                key: { ["martlet", $0] }, name: Self.variable),
        ]
        if let path = options.config ?? environment["MARTLET_CONFIG"] {
            let file = try OptionFile(path: path, known: Set(options.names))
            sources.append(Source(values: file.values, key: { [$0] }, name: { "\($0) in \(path)" }))
        }
        self.sources = sources
        let known = Set((options.names + ["config"]).map(Self.variable))
        strangeVariables = environment.keys.filter { $0.hasPrefix("MARTLET_") && !known.contains($0) }.sorted()
    }

    func string(_ option: String) throws -> String? {
        try value(option, as: .string, "text") { if case .string(let text) = $0 { text } else { nil } }
    }

    func int(_ option: String) throws -> Int? {
        try value(option, as: .int, "a whole number") { if case .int(let number) = $0 { number } else { nil } }
    }

    func bool(_ option: String) throws -> Bool? {
        try value(option, as: .bool, "true or false") { if case .bool(let answer) = $0 { answer } else { nil } }
    }

    private func value<V>(
        _ option: String, as type: ConfigType, _ expected: String, _ unwrap: (ConfigContent) -> V?
    ) throws -> V? {
        for source in sources {
            let key = source.key(option)
            do {
                guard let found = try source.values.value(forKey: key, type: type).value else { continue }
                if let value = unwrap(found.content) { return value }
            } catch {}
            throw ValidationError("\(source.name(option)) takes \(expected)")
        }
        return nil
    }

    /// `dataDirectory` is `data` and `directory`.
    private static func words(_ option: String) -> [String] {
        option.replacing(/[A-Z]/) { " " + $0.output.lowercased() }.split(separator: " ").map(String.init)
    }

    @Sendable
    static func flag(_ option: String) -> String { "--" + words(option).joined(separator: "-") }

    @Sendable
    private static func variable(_ option: String) -> String {
        (["martlet"] + words(option)).joined(separator: "_").uppercased()
    }

    private static func values(of options: ServeOptions) -> [AbsoluteConfigKey: ConfigValue] {
        var values: [AbsoluteConfigKey: ConfigValue] = [:]
        for case (let name, let content?) in options.given {
            values[[name]] = ConfigValue(content, isSecret: false)
        }
        return values
    }
}

/// A YAML file of options: one `name: value` for each.
private struct OptionFile {
    let values: any ConfigSnapshot

    /// - Throws: `ValidationError` that tells what is wrong and where.
    init(path: String, known: Set<String>) throws {
        guard let data = Self.contents(of: path) else {
            throw ValidationError("the options in \(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        let names = try Self.names(in: String(decoding: data, as: UTF8.self), path)
        for name in names where !known.contains(name) {
            throw ValidationError("\(path): there is no option \(name)")
        }
        guard Set(names).count == names.count else {
            throw ValidationError("\(path): an option is given twice")
        }
        guard !names.isEmpty else {
            values = InMemoryProvider(name: path, values: [:]).snapshot()
            return
        }
        do {
            values = try YAMLSnapshot(data: data.bytes, providerName: path, parsingOptions: .default)
        } catch {
            throw ValidationError("\(path) is not YAML: \(error)")
        }
    }

    /// The provider tells no names, so that it would pass over one that it is not asked for. No option has options
    /// within, so each name stands at the beginning of a line.
    private static func names(in text: String, _ path: String) throws -> [String] {
        var names: [String] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = line.hasSuffix("\r") ? line.dropLast() : line
            if line.isEmpty || line.first == "#" || line.first?.isWhitespace == true { continue }
            if line.hasPrefix("---") || line.hasPrefix("...") || line.hasPrefix("%") { continue }
            guard let colon = line.firstIndex(of: ":") else {
                throw ValidationError("\(path), line \(index + 1): there is no 'name: value'")
            }
            names.append(line[..<colon].trimmingCharacters(in: CharacterSet(charactersIn: " \t'\"")))
        }
        return names
    }

    /// Nil, and `errno` says why: Foundation wraps that in words that are meant for programmers.
    private static func contents(of path: String) -> Data? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: byteCountMax)
        let count = fread(&bytes, 1, bytes.count, file)
        guard ferror(file) == 0 else { return nil }
        guard feof(file) != 0 else {
            errno = EFBIG
            return nil
        }
        return Data(bytes[..<count])
    }

    private static let byteCountMax = 1 << 20
}
