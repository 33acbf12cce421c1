import Foundation
import Testing

@Suite("The options of `serve` are documented")
struct DocumentedOptionsTests {
    /// Those that the sources declare, without the hyphens.
    private static let options = Result {
        let source = try text("Sources/martlet/Options.swift") + text("Sources/martlet/LimitOptions.swift")
        return Set(
            source.components(separatedBy: "@").dropFirst().compactMap { part -> String? in
                guard part.hasPrefix("Option(") || part.hasPrefix("Flag(") else { return nil }
                if let custom = part.firstMatch(of: /customLong\("([a-z-]+)"\)/) { return String(custom.1) }
                return part.firstMatch(of: /var (\w+)/).map { kebab(String($0.1)) }
            })
    }

    private static func text(_ path: String) throws -> String {
        try String(contentsOf: SourceTree.root.appending(path: path), encoding: .utf8)
    }

    private static func kebab(_ name: String) -> String {
        name.replacing(/[A-Z]/) { "-" + $0.output.lowercased() }
    }

    @Test("in the manual page and in the README")
    func everywhere() throws {
        let options = try Self.options.get()
        #expect(options.contains("postgresql-url") && options.count > 20)
        let (manual, readme) = (try Self.text("packaging/martlet.1"), try Self.text("README.md"))
        for option in options {
            #expect(manual.contains(".It Fl -\(option)"), "martlet(1) does not tell of --\(option)")
            #expect(readme.contains("`--\(option)"), "README.md does not tell of --\(option)")
        }
    }

    @Test("and the manual page tells of no others")
    func noOthers() throws {
        let options = try Self.options.get().union(["uri", "timeout", "database", "role"])
        for match in try Self.text("packaging/martlet.1").matches(of: /\.It Fl -([a-z-]+)/) {
            #expect(options.contains(String(match.1)), "there is no --\(match.1)")
        }
    }
}
