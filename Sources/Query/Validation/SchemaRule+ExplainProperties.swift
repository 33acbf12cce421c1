internal import BSON

extension SchemaRule {
    func explainProperties(_ object: RawDocument, in source: RawDocument, into report: inout ValidationReport) {
        switch test {
        case .required: explainRequired(object, in: source, into: &report)
        case .properties(let parts): explainProperties(parts, object, in: source, into: &report)
        case .patternProperties(let patterns): explainPatterns(patterns, object, into: &report)
        case .additionalProperties(let additional): explain(additional, object, in: source, into: &report)
        case .dependencies(let dependencies): explain(dependencies, object, into: &report)
        default: return
        }
    }

    /// The names in the order in which they were written, which the nodes have lost.
    private func explainRequired(
        _ object: RawDocument, in source: RawDocument, into report: inout ValidationReport
    ) {
        guard let required = source.first(where: { $0.key.string == keyword.rawValue }) else { return }
        report.specifiedAs([required])
        let names = required.value.array?.compactMap(\.value.stringBytes) ?? []
        report.names(
            "missingProperties",
            names.filter { name in !object.contains { $0.key.bytes.elementsEqual(name) } }
                .map { String(decoding: $0, as: UTF8.self) })
    }

    /// In the order in which the schema names them.
    private func explainProperties(
        _ parts: ArenaList<ArenaList<PropertySchema>>, _ object: RawDocument, in source: RawDocument,
        into report: inout ValidationReport
    ) {
        report.builder.beginArray("propertiesNotSatisfied")
        var position = 0
        for name in source["properties"]?.document?.map(\.key) ?? [] where !report.isFull {
            guard let property = parts.property(name), let value = object[name], !property.node.matches(value) else {
                continue
            }
            report.builder.beginDocument(index: position)
            report.builder.append("propertyName", string: property.key.string)
            property.node.explain(value, as: "details", into: &report)
            report.builder.end()
            position += 1
        }
        report.builder.end()
    }

    private func explainPatterns(
        _ patterns: ArenaList<PatternSchema>, _ object: RawDocument, into report: inout ValidationReport
    ) {
        report.builder.beginArray("details")
        var position = 0
        for element in object {
            for pattern in patterns.nodes
            where !report.isFull && pattern.applies(to: element.key) && !pattern.node.matches(element.value) {
                report.builder.beginDocument(index: position)
                report.builder.append("propertyName", string: element.key.string)
                report.builder.append("regexMatched", string: pattern.pattern.string)
                pattern.node.explain(element.value, as: "details", into: &report)
                report.builder.end()
                position += 1
            }
        }
        report.builder.end()
    }

    private func explain(
        _ additional: AdditionalProperties, _ object: RawDocument, in source: RawDocument,
        into report: inout ValidationReport
    ) {
        guard let node = additional.schema.nodes.first else {
            if let given = source.first(where: { $0.key == "additionalProperties" }) { report.specifiedAs([given]) }
            let names = object.filter { additional.contains($0.key) }.map(\.key.string)
            return report.names("additionalProperties", names)
        }
        report.reason("at least one additional property did not match the subschema")
        for element in object where additional.contains(element.key) && !node.matches(element.value) {
            report.builder.append("failingProperty", string: element.key.string)
            return node.explain(element.value, as: "details", into: &report)
        }
    }

    private func explain(
        _ dependencies: ArenaList<Dependency>, _ object: RawDocument, into report: inout ValidationReport
    ) {
        report.builder.beginArray("failingDependencies")
        var position = 0
        for dependency in dependencies.nodes where !report.isFull && !dependency.admits(object) {
            report.builder.beginDocument(index: position)
            report.builder.append("conditionalProperty", string: dependency.key.string)
            if let node = dependency.schema.nodes.first {
                node.explain(RawValue(type: .document, bytes: object.bytes), as: "details", into: &report)
            } else {
                report.names(
                    "missingProperties", dependency.required.nodes.filter { object[$0] == nil }.map(\.string))
            }
            report.builder.end()
            position += 1
        }
        report.builder.end()
    }
}

extension ArenaList<ArenaList<PropertySchema>> {
    fileprivate func property(_ name: RawKey) -> PropertySchema? {
        for part in nodes {
            if let position = part.position(of: name) { return part[position] }
        }
        return nil
    }
}
