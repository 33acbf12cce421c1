import Foundation
import Testing

@Suite("The source tree keeps to its rules")
struct TidyTests {
    @Test("Tree", arguments: Rule.all)
    func treeIsTidy(_ rule: Rule) throws {
        let violations = try SourceTree.package.get().files.flatMap(rule.check)
        #expect(violations.isEmpty, "\(violations.map(\.description).joined(separator: "\n"))")
    }

    @Test("every target of the package is read, and stands in the table of layers")
    func everyTargetIsRead() throws {
        let files = try SourceTree.package.get().files
        #expect(Set(files.filter(\.isSwift).compactMap(\.target)) == Set(Rule.layers.keys))
        #expect(files.contains { $0.path == "Package.swift" })
        #expect(files.contains { $0.path == "Tests/TidyTests/TidyTests.swift" })
        #expect(files.contains { $0.path == "Tests/Drivers/crash.py" })
    }

    @Test("the table of layers has no cycle")
    func layersAreAcyclic() {
        var remaining = Rule.layers
        while !remaining.isEmpty {
            let free = remaining.filter { $0.value.isDisjoint(with: remaining.keys) }.keys
            guard !free.isEmpty else {
                Issue.record("targets that import each other: \(remaining.keys.sorted())")
                return
            }
            for target in free { remaining[target] = nil }
        }
    }
}
