extension Rule {
    static let noPrint = forbidden(
        "only the executable prints", pattern: #"(?:^|[^.\w])(?:print|debugPrint|dump)\("#,
        message: "log instead of printing"
    ) { $0.target != nil && $0.target != "martlet" }

    /// Input is hostile, and our own mistakes have `precondition` with a reason. `!=`, `!x` and `!(…)` are no traps.
    static let noTraps = forbidden(
        "shipped code does not trap on data",
        pattern: #"\bfatalError\(|[\w)\]>]!(?![=\w])"#,
        message: "unwrap with guard and throw"
    ) { $0.isSwift && $0.target != nil }

    static let uncheckedSendable = Rule(name: "what the compiler cannot check about concurrency says why it is safe") {
        file in
        guard file.isSwift, file.target != nil else { return [] }
        let unchecked = try Regex(#"@unchecked\s+Sendable|nonisolated\(unsafe\)"#)
        return file.code.enumerated().compactMap { index, line in
            guard line.contains(unchecked), !isExplained(file, index) else { return nil }
            return Violation(path: file.path, line: index + 1, message: "needs a `// Safety:` comment")
        }
    }

    /// A comment with `Safety:` in the line itself or in the comments and attributes directly above it.
    private static func isExplained(_ file: SourceText, _ index: Int) -> Bool {
        if file.lines[index].contains("Safety:") { return true }
        let above = file.lines[..<index].reversed().prefix { line in
            let text = line.drop { $0 == " " }
            return text.hasPrefix("//") || text.hasPrefix("@")
        }
        return above.contains { $0.contains("Safety:") }
    }

    /// Unstructured tasks lose errors and cancellation. Each exception here needs its reason beside it.
    private static let tasksAllowed: Set<String> = [
        // A build that is taken over lasts longer than a turn of the background jobs, and none waits for it.
        "Sources/Storage/Leases/IndexReconciler.swift"
    ]

    static let noLooseTasks = forbidden(
        "no unstructured tasks", pattern: #"\bTask(?:\.detached|\.immediate)?\s*(?:<[^>]*>\s*)?(?:\([^)]*\)\s*)?\{"#,
        message: "use a task group, or add the file to the list with a reason"
    ) { $0.isSwift && $0.target != nil && !tasksAllowed.contains($0.path) }

    /// The patterns are put together from parts, so that this file does not match itself.
    static let reminders = forbidden(
        "a reminder has a reason", pattern: "\\b(?:TO" + "DO|FIX" + "ME|XX" + "X)\\b(?!\\s*[:(].{10})",
        message: "write what is left to do and why it is left", inComments: true
    ) { _ in true }

    static let wording = forbidden(
        "no promises we do not make", pattern: "(?i)drop-" + "in[ -]+replacement", message: "say what works instead",
        inComments: true
    ) { _ in true }

    static let ownNames = forbidden(
        "no name of ours contains another product's",
        pattern: #"\b(?:class|struct|enum|actor|protocol|func|var|let|case|typealias)\s+`?\w*[Mm]ongo"#,
        message: "name the thing, not the product"
    ) { $0.isSwift }
}
