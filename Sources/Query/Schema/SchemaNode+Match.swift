internal import BSON

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

extension SchemaNode {
    /// The recursion is as deep as the schema, which the compiler bounds.
    func matches(_ value: RawValue) -> Bool {
        for index in 0..<rules.count where !rules[index].test.admits(value) { return false }
        return true
    }

    func matches(_ document: RawDocument) -> Bool {
        matches(RawValue(type: .document, bytes: document.bytes))
    }
}

extension SchemaTest {
    func admits(_ value: RawValue) -> Bool {
        switch self {
        case .type(let mask): mask.contains(value.type)
        case .oneOf(let set): set.contains(value)
        case .compare(let comparison, let operand): !value.type.isNumber || comparison.holds(value, operand)
        case .multipleOf(let divisor): value.number?.isMultiple(of: divisor) ?? true
        case .length, .pattern: admitsString(value)
        case .itemCount, .uniqueItems, .items, .leadingItems, .additionalItems:
            value.array.map(admitsArray) ?? true
        case .propertyCount, .required, .properties, .patternProperties, .additionalProperties, .dependencies:
            value.document.map(admitsObject) ?? true
        case .all, .any, .exactlyOne, .not: admitsBySchemas(value)
        }
    }

    private func admitsBySchemas(_ value: RawValue) -> Bool {
        switch self {
        case .all(let nodes): nodes.matchCount(value, upTo: nodes.count) == nodes.count
        case .any(let nodes): nodes.matchCount(value, upTo: 1) == 1
        case .exactlyOne(let nodes): nodes.matchCount(value, upTo: 2) == 1
        case .not(let nodes): !nodes[0].matches(value)
        default: true
        }
    }

    private func admitsString(_ value: RawValue) -> Bool {
        guard value.type == .string, let bytes = value.stringBytes else { return true }
        return switch self {
        case .length(let bound): bound.admits(bytes.codePointCount)
        case .pattern(let regex): regex._withUnsafeGuaranteedRef { $0.matches(bytes: bytes) }
        default: true
        }
    }
}

// Arrays.
extension SchemaTest {
    private func admitsArray(_ array: RawDocument) -> Bool {
        switch self {
        case .itemCount(let bound): return bound.admits(array.elementCount)
        case .uniqueItems: return SchemaEquality.duplicate(in: array) == nil
        case .items(let nodes): return array.allSatisfy { nodes[0].matches($0.value) }
        case .leadingItems(let nodes):
            var index = 0
            for element in array {
                guard index < nodes.count else { return true }
                guard nodes[index].matches(element.value) else { return false }
                index += 1
            }
            return true
        case .additionalItems(let start, let nodes):
            return array.dropFirst(start).allSatisfy { !nodes.isEmpty && nodes[0].matches($0.value) }
        default: return true
        }
    }
}

// Objects. Of a name that a document holds twice the first counts, as everywhere, where a schema names it.
extension SchemaTest {
    private func admitsObject(_ object: RawDocument) -> Bool {
        switch self {
        case .propertyCount(let bound): return bound.admits(object.elementCount)
        case .required(let parts):
            for index in 0..<parts.count where !Self.holdsAll(parts[index], object) { return false }
            return true
        case .properties(let parts):
            for index in 0..<parts.count where !Self.matches(parts[index], object) { return false }
            return true
        case .patternProperties(let patterns):
            return object.allSatisfy { Self.matches(patterns, $0) }
        case .additionalProperties(let additional):
            return object.allSatisfy { element in
                !additional.contains(element.key)
                    || !additional.schema.isEmpty && additional.schema[0].matches(element.value)
            }
        case .dependencies(let dependencies):
            for index in 0..<dependencies.count where !dependencies[index].admits(object) { return false }
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

    private static func matches(_ properties: ArenaList<PropertySchema>, _ object: RawDocument) -> Bool {
        var unseen = properties.allBits
        for element in object {
            guard let position = properties.position(of: element.key), unseen & (1 << UInt64(position)) != 0 else {
                continue
            }
            guard properties[position].node.matches(element.value) else { return false }
            unseen &= ~(1 << UInt64(position))
            if unseen == 0 { return true }
        }
        return true
    }

    private static func matches(_ patterns: ArenaList<PatternSchema>, _ element: RawElement) -> Bool {
        for index in 0..<patterns.count where patterns[index].applies(to: element.key) {
            guard patterns[index].node.matches(element.value) else { return false }
        }
        return true
    }
}

extension Dependency {
    func admits(_ object: RawDocument) -> Bool {
        guard object[key] != nil else { return true }
        for index in 0..<required.count where object[required[index]] == nil { return false }
        return schema.isEmpty || schema[0].matches(object)
    }
}

extension ArenaList {
    /// A bit for each node of a part of at most 64.
    fileprivate var allBits: UInt64 { count >= 64 ? .max : (1 << UInt64(count)) - 1 }
}

extension ArenaList<SchemaNode> {
    /// How many schemas match, counted up to a limit.
    fileprivate func matchCount(_ value: RawValue, upTo limit: Int) -> Int {
        var matched = 0
        for index in 0..<count where self[index].matches(value) {
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
