internal import BSON
internal import CommandModel

/// Why a document does not match a filter, clause by clause, in the form of MongoDB's `errInfo`.
///
/// It runs after a failure only. So it goes through the filter as it was written, and compiles each condition again by
/// itself: the program that runs over rows need not remember where its tests came from.
struct FilterExplanation {
    let document: RawDocument
    /// Compiles one condition, as the filter was compiled.
    let compile: (Document) throws(CommandError) -> Filter

    /// - Returns: nil when the document matches.
    func explain(_ filter: RawDocument) -> ValidationReport? {
        explain(Self.clauses(of: filter), isInverted: false, depth: 0)
    }

    /// A conjunction; a single clause speaks for itself.
    private func explain(_ clauses: [Clause], isInverted: Bool, depth: Int) -> ValidationReport? {
        guard clauses.count != 1 else { return explain(clauses[0], isInverted: isInverted, depth: depth) }
        return explain(
            .conjunction, clauses.map { clause in { explain(clause, isInverted: $0, depth: depth) } },
            isInverted: isInverted)
    }

    /// - Parameter isInverted: whether to tell why the document does match, because it must not.
    private func explain(_ clause: Clause, isInverted: Bool, depth: Int) -> ValidationReport? {
        guard depth <= FilterCompiler.depthMax else { return nil }
        switch clause {
        case .logical(let connective, let branches):
            return explain(
                connective,
                branches.map { branch in { explain(Self.clauses(of: branch), isInverted: $0, depth: depth + 1) } },
                isInverted: isInverted)
        case .not(let inner):
            guard let inner = explain(inner, isInverted: !isInverted, depth: depth + 1) else { return nil }
            var report = ValidationReport()
            report.operatorName("$not")
            report.append("details", inner)
            return report
        case .condition(let condition): return explain(condition, isInverted: isInverted)
        }
    }

    /// - Parameter branches: each tells why it does not match, or, when inverted, why it does.
    private func explain(
        _ connective: Connective, _ branches: [(Bool) -> ValidationReport?], isInverted: Bool
    ) -> ValidationReport? {
        let isTold = connective == .negation ? !isInverted : isInverted
        let told = branches.map { $0(isTold) }
        // A conjunction fails by one branch and holds by all; a disjunction the other way round.
        let needsAll = connective == .disjunction ? !isInverted : isInverted
        guard needsAll ? told.allSatisfy({ $0 != nil }) : told.contains(where: { $0 != nil }) else { return nil }
        var report = ValidationReport()
        report.operatorName(connective.rawValue)
        report.builder.beginArray(isTold ? "clausesSatisfied" : "clausesNotSatisfied")
        var position = 0
        for (index, details) in told.enumerated() where !report.isFull {
            guard let details else { continue }
            report.builder.beginDocument(index: position)
            report.builder.append("index", int32: Int32(clamping: index))
            report.append("details", details)
            report.builder.end()
            position += 1
        }
        report.builder.end()
        return report
    }
}

extension FilterExplanation {
    enum Connective: String {
        case conjunction = "$and"
        case disjunction = "$or"
        case negation = "$nor"
    }

    indirect enum Clause {
        case logical(Connective, [RawDocument])
        case not([Clause])
        case condition(Condition)
    }

    /// One operator, on a field or on the document.
    struct Condition {
        let name: String
        /// The field; nil for a condition on the document.
        let path: RawKey?
        /// The operators as they were written; a value to be equal to has none.
        let operators: [RawElement]
        let value: RawValue
    }

    static func clauses(of filter: RawDocument) -> [Clause] {
        filter.flatMap { element -> [Clause] in
            if let connective = Connective(rawValue: element.key.string), let branches = element.value.array {
                return [.logical(connective, branches.compactMap(\.value.document))]
            }
            if element.key == "$comment" { return [] }
            if element.key.startsWithDollar {
                return [
                    .condition(
                        Condition(name: element.key.string, path: nil, operators: [element], value: element.value))
                ]
            }
            return clauses(on: element.key, element.value)
        }
    }

    private static func clauses(on path: RawKey, _ value: RawValue) -> [Clause] {
        guard let operators = value.operatorDocument else {
            let name = value.type == .regex ? "$regex" : "$eq"
            return [.condition(Condition(name: name, path: path, operators: [], value: value))]
        }
        return operators.compactMap { element in
            switch element.key {
            case "$options": return nil
            case "$not": return .not(clauses(on: path, element.value))
            case "$regex":
                let both = operators.filter { $0.key == "$regex" || $0.key == "$options" }
                return .condition(Condition(name: "$regex", path: path, operators: both, value: element.value))
            default:
                return .condition(
                    Condition(name: element.key.string, path: path, operators: [element], value: element.value))
            }
        }
    }
}

extension ValidationReport {
    mutating func append(_ key: StaticString, _ inner: ValidationReport) {
        builder.append(key, document: inner.builder.finish())
    }
}
