internal import BSON

/// `{$expr: {$eq: ["$path", "$$variable"]}}` among the conditions that the pipeline of a `$lookup` begins with: what
/// belongs to a document is then found by a key, as by `localField` and `foreignField`.
struct ForeignEquality {
    let path: String
    let variable: String
    /// Whether the first stage says this and nothing else.
    let isFirstStage: Bool
}

extension SubPipeline {
    /// - Parameter variables: of the `$lookup`.
    func equality(with variables: [String]) -> ForeignEquality? {
        withStages { stages in
            for (index, stage) in stages.enumerated() {
                guard let match = stage.value.document?.firstElement, match.key == "$match",
                    let conditions = match.value.document
                else { return nil }
                guard let (path, variable) = conditions.equality(with: variables) else { continue }
                return ForeignEquality(
                    path: path, variable: variable, isFirstStage: index == 0 && conditions.isEquality)
            }
            return nil
        }
    }
}

extension RawDocument {
    /// Of a filter. The recursion is as deep as the document.
    fileprivate func equality(with variables: [String]) -> (path: String, variable: String)? {
        for condition in self {
            switch condition.key {
            case "$expr":
                if let found = condition.value.document?.comparison(with: variables) { return found }
            case "$and":
                for branch in condition.value.array ?? .none {
                    if let found = branch.value.document?.equality(with: variables) { return found }
                }
            default: continue
            }
        }
        return nil
    }

    /// Of an expression.
    fileprivate func comparison(with variables: [String]) -> (path: String, variable: String)? {
        guard let operation = firstElement, elementCount == 1, let operands = operation.value.array else { return nil }
        if operation.key == "$and" {
            for operand in operands {
                if let found = operand.value.document?.comparison(with: variables) { return found }
            }
        }
        guard operation.key == "$eq" else { return nil }
        let texts = operands.compactMap { $0.value.string }
        guard texts.count == 2, operands.elementCount == 2 else { return nil }
        for (path, variable) in [(texts[0], texts[1]), (texts[1], texts[0])] {
            let isPath = path.hasPrefix("$") && !path.hasPrefix("$$") && path.count > 1
            guard isPath, variable.hasPrefix("$$"), variables.contains(String(variable.dropFirst(2))) else { continue }
            return (String(path.dropFirst()), String(variable.dropFirst(2)))
        }
        return nil
    }

    /// Whether it is `{$expr: {$eq: …}}`.
    fileprivate var isEquality: Bool {
        guard elementCount == 1, let condition = firstElement, condition.key == "$expr" else { return false }
        return condition.value.document?.firstKey.map { $0 == "$eq" } ?? false
    }
}
