internal import BSON
internal import CommandModel

// A single operator.
extension FilterExplanation {
    func explain(_ condition: Condition, isInverted: Bool) -> ValidationReport? {
        guard let filter = try? compile(condition.filter), let isMatched = try? filter.matches(document),
            isMatched == isInverted
        else { return nil }
        var report = ValidationReport()
        report.operatorName(condition.name)
        guard let path = condition.path else {
            explainDocument(condition, filter, isInverted, into: &report)
            return report
        }
        report.specifiedAs(of: condition, on: path)
        let kind = ConditionKind.of(condition.name)
        let values = ConsideredValues.at(path, of: document, enteringArrays: kind.entersArrays)
        if values.isEmpty, kind.needsValue, isInverted == kind.isNegated {
            report.reason("field was missing")
        } else if !isInverted, !kind.types.isEmpty, !values.contains(where: { kind.types.contains($0.type) }) {
            report.reason("type did not match")
            report.considered(values, showsTypes: true)
            report.names("expectedTypes", kind.types.map { "\($0.alias)" })
        } else {
            // What `$exists: false` demands is the absence.
            let isAbsence = condition.name == "$exists" && !condition.value.isTruthy
            report.reason(kind.reason(isTrue: isInverted != (kind.isNegated || isAbsence)))
            if kind.needsValue { report.considered(values, showsTypes: condition.name == "$type") }
        }
        return report
    }

    private func explainDocument(
        _ condition: Condition, _ filter: Filter, _ isInverted: Bool, into report: inout ValidationReport
    ) {
        if condition.name == "$jsonSchema", !isInverted, case .schema(let nodes) = filter.program.root {
            return withExtendedLifetime(filter) {
                nodes[0].explain(
                    RawValue(type: .document, bytes: document.bytes), as: "schemaRulesNotSatisfied", into: &report)
            }
        }
        report.specifiedAs(condition.operators)
        switch condition.name {
        case "$jsonSchema": report.reason("schema matched")
        case "$expr":
            report.reason(isInverted ? "expression did match" : "expression did not match")
            report.builder.append("expressionResult", bool: isInverted)
        case "$alwaysTrue", "$alwaysFalse":
            report.reason(isInverted ? "expression always evaluates to true" : "expression always evaluates to false")
        default: report.reason(isInverted ? "condition was met" : "condition was not met")
        }
    }
}

extension FilterExplanation.Condition {
    /// The condition as a filter of its own.
    var filter: Document {
        Document { builder in
            guard let path else {
                for element in operators { builder.append(element) }
                return
            }
            write(path, into: &builder)
        }
    }

    fileprivate func write(_ path: RawKey, into builder: inout DocumentBuilder) {
        guard !operators.isEmpty else { return builder.append(path, value) }
        builder.beginDocument(path)
        for element in operators { builder.append(element) }
        builder.end()
    }
}

extension ValidationReport {
    fileprivate mutating func specifiedAs(of condition: FilterExplanation.Condition, on path: RawKey) {
        condition.filter.withRaw { specifiedAs(Array($0)) }
    }
}

/// The values that a dotted path leads to, as a filter meets them.
enum ConsideredValues {
    private static let valuesMax = 200

    /// - Parameter enteringArrays: whether an array at the end of the path stands for its elements, too.
    static func at(_ path: RawKey, of document: RawDocument, enteringArrays: Bool) -> [RawValue] {
        var values: [RawValue] = []
        let steps = path.components
        guard let value = document[steps[0]] else { return [] }
        walk(value, steps.dropFirst(), enteringArrays, into: &values)
        return values
    }

    /// As deep as the path is long.
    private static func walk(
        _ value: RawValue, _ steps: ArraySlice<RawKey>, _ entersArrays: Bool, into values: inout [RawValue]
    ) {
        guard values.count < valuesMax else { return }
        guard let step = steps.first else {
            if entersArrays, let array = value.array {
                for element in array.prefix(valuesMax) { values.append(element.value) }
            }
            values.append(value)
            return
        }
        if let document = value.document {
            guard let next = document[step] else { return }
            walk(next, steps.dropFirst(), entersArrays, into: &values)
        } else if let array = value.array {
            for element in array {
                if let next = element.value.document?[step] {
                    walk(next, steps.dropFirst(), entersArrays, into: &values)
                }
                if element.key == step { walk(element.value, steps.dropFirst(), entersArrays, into: &values) }
            }
        }
    }
}
