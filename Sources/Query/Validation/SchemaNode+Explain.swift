internal import BSON

// Which rules of a schema a value breaks, in MongoDB's words. It runs after a failure only, so it checks everything
// again instead of remembering anything.

extension SchemaNode {
    /// An array of the broken rules. Reads `title` and `description` first, which stand before it.
    func explain(_ value: RawValue, as name: StaticString, into report: inout ValidationReport) {
        for key in ["title", "description"] as [StaticString] {
            if let text = source[key] { report.append(key, text) }
        }
        report.builder.beginArray(name)
        var index = 0
        for position in 0..<rules.count where !report.isFull && !rules[position].test.admits(value) {
            report.builder.beginDocument(index: index)
            rules[position].explain(value, in: source, into: &report)
            report.builder.end()
            index += 1
        }
        report.builder.end()
    }
}

extension SchemaRule {
    fileprivate func explain(_ value: RawValue, in source: RawDocument, into report: inout ValidationReport) {
        report.operatorName(keyword.rawValue)
        switch test {
        case .all, .any, .exactlyOne, .not: explainSchemas(value, into: &report)
        case .items, .leadingItems, .additionalItems:
            if let array = value.array { explainItems(array, in: source, into: &report) }
        case .required, .properties, .patternProperties, .additionalProperties, .dependencies:
            if let object = value.document { explainProperties(object, in: source, into: &report) }
        case .propertyCount:
            report.specifiedAs(specification(in: source))
            report.reason("specified number of properties was not satisfied")
            let count = value.document?.elementCount ?? 0
            report.builder.append("numberOfProperties", int32: Int32(clamping: count))
        default: explainLeaf(value, in: source, into: &report)
        }
    }

    private func explainLeaf(_ value: RawValue, in source: RawDocument, into report: inout ValidationReport) {
        report.specifiedAs(specification(in: source))
        report.reason(leafReason)
        report.considered(value, showsType: keyword == .bsonType || keyword == .type)
        if case .uniqueItems = test, let duplicate = value.array.flatMap({ SchemaEquality.duplicate(in: $0) }) {
            report.append("duplicatedValue", duplicate)
        }
    }

    private var leafReason: StaticString {
        switch keyword {
        case .bsonType, .type: "type did not match"
        case .enum: "value was not found in enum"
        case .multipleOf: "considered value is not a multiple of the specified value"
        case .minLength, .maxLength: "specified string length was not satisfied"
        case .pattern: "regular expression did not match"
        case .minItems, .maxItems: "array did not match specified length"
        case .uniqueItems: "found a duplicate item"
        default: "comparison failed"
        }
    }

    /// The keyword as it was written, with the flag that belongs to it.
    private func specification(in source: RawDocument) -> [RawElement] {
        let flag: SchemaKeyword? =
            switch keyword {
            case .minimum: .exclusiveMinimum
            case .maximum: .exclusiveMaximum
            default: nil
            }
        let names = [keyword.rawValue] + (flag.map { [$0.rawValue] } ?? [])
        return names.compactMap { name in source.first { $0.key.string == name } }
    }
}

// Schemas within the schema.
extension SchemaRule {
    private func explainSchemas(_ value: RawValue, into report: inout ValidationReport) {
        switch test {
        case .exactlyOne(let nodes) where nodes.nodes.contains(where: { $0.matches(value) }):
            report.reason("more than one subschema matched")
            report.builder.beginArray("matchingSchemaIndexes")
            let matching = nodes.nodes.enumerated().filter { $0.element.matches(value) }
            for (position, index) in matching.map(\.offset).enumerated() {
                report.builder.append(index: position, .int32(Int32(clamping: index)))
            }
            report.builder.end()
        case .all(let nodes), .any(let nodes), .exactlyOne(let nodes): explain(nodes, value, into: &report)
        default: report.reason("child expression matched")
        }
    }

    private func explain(_ nodes: ArenaList<SchemaNode>, _ value: RawValue, into report: inout ValidationReport) {
        report.builder.beginArray("schemasNotSatisfied")
        var position = 0
        for (index, node) in nodes.nodes.enumerated() where !report.isFull && !node.matches(value) {
            report.builder.beginDocument(index: position)
            report.builder.append("index", int32: Int32(clamping: index))
            node.explain(value, as: "details", into: &report)
            report.builder.end()
            position += 1
        }
        report.builder.end()
    }

    private func explainItems(_ array: RawDocument, in source: RawDocument, into report: inout ValidationReport) {
        switch test {
        case .items(let nodes):
            report.reason("At least one item did not match the sub-schema")
            explainFirst(of: array, from: 0, breaking: nodes[0], into: &report)
        case .additionalItems(let start, let nodes) where !nodes.isEmpty:
            report.reason("At least one additional item did not match the sub-schema")
            explainFirst(of: array, from: start, breaking: nodes[0], into: &report)
        case .additionalItems(let start, _):
            report.specifiedAs(specification(in: source))
            report.reason("found additional items")
            report.values("additionalItems", array.dropFirst(start).map(\.value))
        case .leadingItems(let nodes): explainLeading(nodes, array, into: &report)
        default: return
        }
    }

    private func explainFirst(
        of array: RawDocument, from start: Int, breaking node: SchemaNode, into report: inout ValidationReport
    ) {
        for (index, item) in array.enumerated() where index >= start && !node.matches(item.value) {
            report.builder.append("itemIndex", int32: Int32(clamping: index))
            return node.explain(item.value, as: "details", into: &report)
        }
    }

    private func explainLeading(
        _ nodes: ArenaList<SchemaNode>, _ array: RawDocument, into report: inout ValidationReport
    ) {
        report.builder.beginArray("details")
        var position = 0
        for (index, item) in array.prefix(nodes.count).enumerated() where !nodes[index].matches(item.value) {
            report.builder.beginDocument(index: position)
            report.builder.append("itemIndex", int32: Int32(clamping: index))
            nodes[index].explain(item.value, as: "details", into: &report)
            report.builder.end()
            position += 1
        }
        report.builder.end()
    }
}
