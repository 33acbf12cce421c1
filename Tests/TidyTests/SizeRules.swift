extension Rule {
    static let fileLinesMax = 500
    static let functionLinesMax = 70
    static let columnsMax = 120

    static let fileSize = Rule(name: "a file has at most \(fileLinesMax) lines") { file in
        guard !file.isGenerated, file.lines.count > fileLinesMax + 1 else { return [] }
        return [Violation(path: file.path, line: fileLinesMax + 1, message: "\(file.lines.count) lines")]
    }

    static let lineLength = Rule(name: "a line has at most \(columnsMax) columns") { file in
        // A table in Markdown cannot be wrapped.
        guard !file.isGenerated, !file.path.hasSuffix(".md") else { return [] }
        return file.lines.enumerated().compactMap { index, line in
            guard line.count > columnsMax else { return nil }
            return Violation(path: file.path, line: index + 1, message: "\(line.count) columns")
        }
    }

    static let functionSize = Rule(name: "a function has at most \(functionLinesMax) lines") { file in
        guard file.isSwift, !file.isGenerated else { return [] }
        return try FunctionFinder(file.code).functions().compactMap { function in
            let length = function.upperBound - function.lowerBound + 1
            guard length > functionLinesMax else { return nil }
            return Violation(path: file.path, line: function.lowerBound + 1, message: "a function of \(length) lines")
        }
    }
}

/// Finds functions, initializers, subscripts and computed properties by their first word and matching braces.
struct FunctionFinder {
    private let code: [String]
    private static let declaration =
        #"^\s*(?:(?:@[\w.]+(?:\([^)]*\))?|[a-z]+(?:\([a-z]+\))?)\s+)*"#
        + #"(?:func\s+\S|init[?!]?\s*[<(]|deinit\b|subscript\s*[<(]|var\s+\w+\s*:[^={]*\{\s*$)"#

    init(_ code: [String]) { self.code = code }

    /// First and last line, counted from 0, of everything that has a body. A local function is found by itself and as
    /// a part of the one around it.
    func functions() throws -> [ClosedRange<Int>] {
        let declaration = try Regex(Self.declaration)
        return code.indices.compactMap { index in
            guard code[index].contains(declaration) else { return nil }
            return end(ofBodyFrom: index).map { index...$0 }
        }
    }

    /// The line of the brace that closes the body; nil for a requirement of a protocol, which has none.
    private func end(ofBodyFrom start: Int) -> Int? {
        var braces = 0
        var brackets = 0
        for index in start..<code.count {
            for character in code[index] {
                switch character {
                case "(", "[": brackets += 1
                case ")", "]": brackets -= 1
                case "{" where braces > 0 || brackets == 0: braces += 1
                case "}" where braces > 0:
                    braces -= 1
                    if braces == 0 { return index }
                case "}" where brackets == 0: return nil
                default: break
                }
            }
            if braces == 0, brackets == 0, endsRequirement(at: index) { return nil }
        }
        return nil
    }

    /// A signature may go on in the next line only with an arrow, a `where`, an effect or its brace.
    private func endsRequirement(at index: Int) -> Bool {
        guard index + 1 < code.count else { return true }
        let next = code[index + 1].drop { $0 == " " }
        return !["->", "where", "throws", "async", "{"].contains { next.hasPrefix($0) }
    }
}
