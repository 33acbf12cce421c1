import Testing

/// One habit of this code base, checked file by file.
struct Rule: Sendable, CustomTestStringConvertible {
    let name: String
    let check: @Sendable (SourceText) throws -> [Violation]

    var testDescription: String { name }
}

struct Violation: Equatable, CustomStringConvertible {
    let path: String
    let line: Int
    let message: String

    var description: String { "\(path):\(line): \(message)" }
}

extension Rule {
    static let all = [
        imports, fileSize, functionSize, lineLength, noPrint, noTraps, uncheckedSendable, noLooseTasks, reminders,
        wording,
        ownNames,
    ]

    /// A rule that no line of code may match `pattern`, in the files that `scope` selects.
    static func forbidden(
        _ name: String, pattern: String, message: String,
        inComments: Bool = false, scope: @escaping @Sendable (SourceText) -> Bool
    ) -> Rule {
        Rule(name: name) { file in
            guard scope(file) else { return [] }
            let regex = try Regex(pattern)
            return (inComments ? file.lines : file.code).enumerated().compactMap { index, line in
                line.contains(regex) ? Violation(path: file.path, line: index + 1, message: message) : nil
            }
        }
    }
}
