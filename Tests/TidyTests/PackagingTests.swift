import Foundation
import Testing

/// What no build of the package and of the container is there to find with every change.
@Suite("Packaging agrees with the sources")
struct PackagingTests {
    private static func text(_ path: String) throws -> String {
        try String(contentsOf: SourceTree.root.appending(path: path), encoding: .utf8)
    }

    @Test("the container's build has every folder that Package.swift names")
    func folders() throws {
        let paths = try Self.text("Package.swift").matches(of: /path: "(\w+)/).map { String($0.1) }
        let dockerfile = try Self.text("packaging/Dockerfile")
        #expect(paths.contains("Benchmarks"))
        for folder in Set(paths).union(["Sources", "Tests"]) {
            #expect(dockerfile.contains("COPY \(folder) \(folder)\n"), "the Dockerfile does not copy \(folder)")
        }
    }

    @Test("one version everywhere")
    func version() throws {
        let source = try Self.text("Sources/martlet/Martlet.swift")
        let version = try #require(source.firstMatch(of: /version = "([0-9.]+)"/)).1
        #expect(try Self.text("debian/changelog").hasPrefix("martlet (\(version)) "))
        #expect(try Self.text("packaging/kubernetes/martlet.yaml").contains("image: martlet:\(version)\n"))
    }

    @Test("the package's own configuration has only options that there are")
    func configuration() throws {
        let options = try Self.text("Sources/martlet/Options.swift")
        let names = try Self.text("packaging/martlet.yaml").matches(of: #/(?m)^(?:# )?([a-z]\w+): /#).map {
            String($0.1)
        }
        #expect(names.contains("listen") && names.contains("postgresqlUrl"))
        for name in names { #expect(options.contains("(\"\(name)\", "), "there is no option \(name)") }
    }
}
