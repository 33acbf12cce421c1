internal import BSON
internal import CommandModel

// Keywords that speak of arrays.
extension SchemaCompiler {
    func arrayTest(
        _ argument: SchemaArgument, beside keywords: SchemaKeywords, depth: Int
    ) throws(CommandError) -> SchemaTest? {
        switch argument.keyword {
        case .minItems, .maxItems:
            return .itemCount(SchemaBound(isMaximum: argument.keyword == .maxItems, limit: try argument.count()))
        case .uniqueItems: return try argument.bool() ? .uniqueItems : nil
        case .items:
            if argument.value.array != nil { return .leadingItems(try schemas(argument, depth: depth)) }
            guard argument.value.document != nil else { throw argument.wrongType("an object or an array") }
            return .items(arena.list([try schema(argument, depth: depth)]))
        default:
            guard let nodes = try additional(argument, depth: depth) else { return nil }
            // Where one schema is for all items, there are no others.
            guard let leading = keywords[.items]?.array else { return nil }
            return .additionalItems(after: leading.elementCount, nodes)
        }
    }

    /// `additionalItems` and `additionalProperties`: one schema, none for false, nil for true.
    private func additional(_ argument: SchemaArgument, depth: Int) throws(CommandError) -> ArenaList<SchemaNode>? {
        if let isAllowed = argument.value.bool { return isAllowed ? nil : arena.list([]) }
        guard argument.value.document != nil else { throw argument.wrongType("an object or a boolean") }
        return arena.list([try schema(argument, depth: depth)])
    }
}

// Keywords that speak of objects.
extension SchemaCompiler {
    func objectTest(
        _ argument: SchemaArgument, beside keywords: SchemaKeywords, depth: Int
    ) throws(CommandError) -> SchemaTest? {
        switch argument.keyword {
        case .minProperties, .maxProperties:
            return .propertyCount(
                SchemaBound(isMaximum: argument.keyword == .maxProperties, limit: try argument.count()))
        case .required: return .required(parts(try argument.names()))
        case .properties: return .properties(parts(try properties(argument, depth: depth)))
        case .patternProperties: return .patternProperties(try patterns(argument, depth: depth))
        case .dependencies: return .dependencies(try dependencies(argument, depth: depth))
        default:
            guard let nodes = try additional(argument, depth: depth) else { return nil }
            return .additionalProperties(try additionalProperties(nodes, beside: keywords))
        }
    }

    private func properties(_ argument: SchemaArgument, depth: Int) throws(CommandError) -> [PropertySchema] {
        var properties: [PropertySchema] = []
        for element in try argument.object() {
            let node = try schema(argument.part(element), depth: depth)
            properties.append(PropertySchema(key: element.key, node: node))
        }
        properties.sort { RawKey.schemaOrder($0.key, $1.key) < 0 }
        for (property, next) in zip(properties, properties.dropFirst()) where property.key == next.key {
            throw argument.invalid("must not name a property twice")
        }
        return properties
    }

    private func patterns(_ argument: SchemaArgument, depth: Int) throws(CommandError) -> ArenaList<PatternSchema> {
        var patterns: [PatternSchema] = []
        for element in try argument.object() {
            let node = try schema(argument.part(element), depth: depth)
            patterns.append(PatternSchema(regex: try regex(of: element.key), pattern: element.key, node: node))
        }
        return arena.list(patterns)
    }

    private func regex(of key: RawKey) throws(CommandError) -> Unmanaged<CompiledRegex> {
        do throws(CommandError) {
            return arena.keep(try regex(key.bytes))
        } catch {
            throw CommandError(
                .badValue, "$jsonSchema keyword 'patternProperties' holds an invalid pattern: \(error.message)")
        }
    }

    /// The names and patterns alone: their schemas are checked by the keywords they belong to.
    private func additionalProperties(
        _ nodes: ArenaList<SchemaNode>, beside keywords: SchemaKeywords
    ) throws(CommandError) -> AdditionalProperties {
        var known = keywords[.properties]?.document?.map(\.key) ?? []
        known.sort { RawKey.schemaOrder($0, $1) < 0 }
        let empty = SchemaNode(rules: arena.list([]), source: RawDocument(unchecked: .init(start: nil, count: 0)))
        var patterns: [PatternSchema] = []
        if let document = keywords[.patternProperties]?.document {
            for element in document {
                patterns.append(
                    PatternSchema(regex: try regex(of: element.key), pattern: element.key, node: empty))
            }
        }
        return AdditionalProperties(known: arena.list(known), patterns: arena.list(patterns), schema: nodes)
    }

    private func dependencies(_ argument: SchemaArgument, depth: Int) throws(CommandError) -> ArenaList<Dependency> {
        var dependencies: [Dependency] = []
        for element in try argument.object() {
            let part = argument.part(element)
            if element.value.array != nil {
                dependencies.append(
                    Dependency(key: element.key, required: arena.list(try part.names()), schema: arena.list([])))
            } else {
                guard element.value.document != nil else { throw part.wrongType("an object or an array") }
                dependencies.append(
                    Dependency(
                        key: element.key, required: arena.list([]),
                        schema: arena.list([try schema(part, depth: depth)])))
            }
        }
        return arena.list(dependencies)
    }
}
