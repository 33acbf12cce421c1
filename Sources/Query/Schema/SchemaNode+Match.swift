internal import BSON

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

extension SchemaNode {
    /// The recursion is as deep as the schema, which the compiler bounds.
    func matches(_ value: RawValue, _ context: MatchContext = .none) -> Bool {
        for index in 0..<rules.count {
            guard context.mayGoOn(), rules[index].test.admits(value, context) else { return false }
        }
        return true
    }

    func matches(_ document: RawDocument, _ context: MatchContext = .none) -> Bool {
        matches(RawValue(type: .document, bytes: document.bytes), context)
    }
}

extension SchemaTest {
    func admits(_ value: RawValue, _ context: MatchContext = .none) -> Bool {
        switch self {
        case .type(let mask): mask.contains(value.type)
        case .oneOf(let set): set.contains(value)
        case .compare(let comparison, let operand): !value.type.isNumber || comparison.holds(value, operand)
        case .multipleOf(let divisor): value.number?.isMultiple(of: divisor) ?? true
        case .length, .pattern: admitsString(value, context)
        case .itemCount, .uniqueItems, .items, .leadingItems, .additionalItems:
            value.array.map { admitsArray($0, context) } ?? true
        case .propertyCount, .required, .properties, .patternProperties, .additionalProperties, .dependencies:
            value.document.map { admitsObject($0, context) } ?? true
        case .all, .any, .exactlyOne, .not: admitsBySchemas(value, context)
        }
    }

    private func admitsBySchemas(_ value: RawValue, _ context: MatchContext) -> Bool {
        switch self {
        case .all(let nodes): nodes.matchCount(value, upTo: nodes.count, context) == nodes.count
        case .any(let nodes): nodes.matchCount(value, upTo: 1, context) == 1
        case .exactlyOne(let nodes): nodes.matchCount(value, upTo: 2, context) == 1
        case .not(let nodes): !nodes[0].matches(value, context)
        default: true
        }
    }

    private func admitsString(_ value: RawValue, _ context: MatchContext) -> Bool {
        guard value.type == .string, let bytes = value.stringBytes else { return true }
        return switch self {
        case .length(let bound): bound.admits(bytes.codePointCount)
        case .pattern(let regex):
            context.maySearch(value) && regex._withUnsafeGuaranteedRef { $0.matches(bytes: bytes) }
        default: true
        }
    }
}

// Arrays.
extension SchemaTest {
    private func admitsArray(_ array: RawDocument, _ context: MatchContext) -> Bool {
        switch self {
        case .itemCount(let bound): return bound.admits(array.elementCount)
        case .uniqueItems:
            return context.mayGoOn(array.bytes.count) && SchemaEquality.duplicate(in: array, context) == nil
        case .items(let nodes): return array.allSatisfy { nodes[0].matches($0.value, context) }
        case .leadingItems(let nodes):
            var index = 0
            for element in array {
                guard index < nodes.count else { return true }
                guard nodes[index].matches(element.value, context) else { return false }
                index += 1
            }
            return true
        case .additionalItems(let start, let nodes):
            return array.dropFirst(start).allSatisfy { !nodes.isEmpty && nodes[0].matches($0.value, context) }
        default: return true
        }
    }
}

// Objects. Of a name that a document holds twice the first counts, as everywhere, where a schema names it.
extension SchemaTest {
    private func admitsObject(_ object: RawDocument, _ context: MatchContext) -> Bool {
        switch self {
        case .propertyCount(let bound): return bound.admits(object.elementCount)
        case .required(let parts):
            for index in 0..<parts.count where !Self.holdsAll(parts[index], object) { return false }
            return true
        case .properties(let parts):
            for index in 0..<parts.count where !Self.matches(parts[index], object, context) { return false }
            return true
        case .patternProperties(let patterns):
            return object.allSatisfy { Self.matches(patterns, $0, context) }
        case .additionalProperties(let additional):
            return object.allSatisfy { element in
                !additional.contains(element.key)
                    || !additional.schema.isEmpty && additional.schema[0].matches(element.value, context)
            }
        case .dependencies(let dependencies):
            for index in 0..<dependencies.count where !dependencies[index].admits(object, context) { return false }
            return true
        default: return true
        }
    }

    private static func holdsAll(_ names: ArenaList<RawKey>, _ object: RawDocument) -> Bool {
        var missing = names.allBits
        for element in object {
            if let position = names.position(of: element.key) { missing &= ~(1 << UInt64(position)) }
            if missing == 0 { return true }
        }
        return missing == 0
    }

    private static func matches(
        _ properties: ArenaList<PropertySchema>, _ object: RawDocument, _ context: MatchContext
    ) -> Bool {
        var unseen = properties.allBits
        for element in object {
            guard let position = properties.position(of: element.key), unseen & (1 << UInt64(position)) != 0 else {
                continue
            }
            guard properties[position].node.matches(element.value, context) else { return false }
            unseen &= ~(1 << UInt64(position))
            if unseen == 0 { return true }
        }
        return true
    }

    private static func matches(
        _ patterns: ArenaList<PatternSchema>, _ element: RawElement, _ context: MatchContext
    ) -> Bool {
        for index in 0..<patterns.count where patterns[index].applies(to: element.key) {
            guard patterns[index].node.matches(element.value, context) else { return false }
        }
        return true
    }
}

extension Dependency {
    func admits(_ object: RawDocument, _ context: MatchContext = .none) -> Bool {
        guard object[key] != nil else { return true }
        for index in 0..<required.count where object[required[index]] == nil { return false }
        return schema.isEmpty || schema[0].matches(object, context)
    }
}

extension ArenaList {
    /// A bit for each node of a part of at most 64.
    fileprivate var allBits: UInt64 { count >= 64 ? .max : (1 << UInt64(count)) - 1 }
}

extension ArenaList<SchemaNode> {
    /// How many schemas match, counted up to a limit.
    fileprivate func matchCount(_ value: RawValue, upTo limit: Int, _ context: MatchContext) -> Int {
        var matched = 0
        for index in 0..<count where self[index].matches(value, context) {
            matched += 1
            if matched == limit { return matched }
        }
        return matched
    }
}

extension RawKey {
    @inline(__always)
    static func schemaOrder(_ left: RawKey, _ right: RawKey) -> Int {
        left.count == right.count ? Int(memcmp(left.start, right.start, left.count)) : left.count - right.count
    }
}

extension Number {
    /// - Parameter divisor: greater than zero.
    func isMultiple(of divisor: Number) -> Bool {
        if let divisor = divisor.asInt64Exact, let value = asInt64Exact { return value % divisor == 0 }
        return asDecimal.remainder(dividingBy: divisor.asDecimal).isZero
    }
}
