internal import BSON

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

extension ValueTest {
    /// - Parameter value: nil where the path leads to nothing.
    @inline(__always)
    func matches(_ value: RawValue?, _ context: MatchContext) -> Bool {
        guard let value else { return matchesMissing }
        return matches(present: value, context)
    }

    private func matches(present value: RawValue, _ context: MatchContext) -> Bool {
        switch self {
        case .equal(let operand): value.equals(operand)
        case .compare(let comparison, let operand): comparison.holds(value, operand)
        case .oneOf(let set): set.contains(value, context)
        case .exists: true
        case .type(let mask): mask.contains(value.type)
        case .size(let count): value.array.map { $0.elementCount == count } ?? false
        case .elementMatches(let tests): Self.elementMatches(value, tests[0], context)
        case .elementPasses(let tests): Self.elementPasses(value, tests, context)
        case .modulo(let divisor, let remainder): value.truncatedInt64.map { $0 % divisor == remainder } ?? false
        case .regex(let regex): context.maySearch(value) && regex._withUnsafeGuaranteedRef { $0.matches(value) }
        case .bits(let test): test.matches(value)
        case .geometry(let predicate): predicate._withUnsafeGuaranteedRef { $0.matches(value) }
        case .all(let tests): Self.passesAll(value, tests, context.silent)
        case .not(let tests): !Self.passesAll(value, tests, context.silent)
        case .collated(let tests): tests[0].matches(value, context)
        }
    }

    /// Nothing compares as null to `null` and, in the order of types, lies between `minKey` and `maxKey`.
    var matchesMissing: Bool {
        switch self {
        case .equal(let operand): operand.type == .null
        case .compare(let comparison, let operand):
            switch operand.type {
            case .null: comparison.includesEqual
            case .minKey: comparison.accepts(1)
            case .maxKey: comparison.accepts(-1)
            default: false
            }
        case .oneOf(let set): set.hasNull
        case .all(let tests): tests.nodes.allSatisfy(\.matchesMissing)
        case .not(let tests): !tests.nodes.allSatisfy(\.matchesMissing)
        case .collated(let tests): tests[0].plain.matchesMissing
        default: false
        }
    }

    private static func passesAll(
        _ value: RawValue, _ tests: ArenaList<ValueTest>, _ context: MatchContext
    ) -> Bool {
        for index in 0..<tests.count {
            guard context.mayGoOn(), tests[index].matches(present: value, context) else { return false }
        }
        return true
    }

    private static func elementMatches(_ value: RawValue, _ test: DocumentTest, _ context: MatchContext) -> Bool {
        firstElement(of: value, context) { element in
            guard let document = element.container else { return false }
            return test.matches(document, context.silent)
        }
    }

    private static func elementPasses(
        _ value: RawValue, _ tests: ArenaList<ValueTest>, _ context: MatchContext
    ) -> Bool {
        firstElement(of: value, context) { passesAll($0, tests, context.silent) }
    }

    @inline(__always)
    private static func firstElement(
        of value: RawValue, _ context: MatchContext, where passes: (RawValue) -> Bool
    ) -> Bool {
        guard let array = value.array else { return false }
        var index = 0
        for element in array {
            guard context.mayGoOn() else { return false }
            if passes(element.value) {
                context.note(index)
                return true
            }
            index += 1
        }
        return false
    }
}

extension Comparison {
    @inline(__always)
    func holds(_ value: RawValue, _ operand: RawValue) -> Bool {
        guard value.type.canonicalTypeRank == operand.type.canonicalTypeRank else {
            let isEnd = operand.type == .minKey || operand.type == .maxKey
            return isEnd && accepts(value.compare(to: operand))
        }
        if operand.type.isNumber { return holdsForNumbers(value, operand) }
        return accepts(value.compare(to: operand))
    }

    @inline(__always)
    private func holdsForNumbers(_ value: RawValue, _ operand: RawValue) -> Bool {
        if let left = value.int32, let right = operand.int32 {
            return accepts(left < right ? -1 : left > right ? 1 : 0)
        }
        // NaN sorts below all numbers but is neither less nor greater than any.
        if value.isNaN || operand.isNaN { return includesEqual && value.isNaN && operand.isNaN }
        return accepts(value.compare(to: operand))
    }
}

extension RawValue {
    /// Equal in MongoDB's order: numbers by value, documents field by field.
    @inline(__always)
    func equals(_ other: RawValue) -> Bool {
        if type == other.type {
            switch type {
            case .int32, .int64, .string, .symbol, .objectID, .bool, .date, .timestamp:
                return count == other.count && memcmp(start, other.start, count) == 0
            default:
                return compare(to: other) == 0
            }
        }
        return type.canonicalTypeRank == other.type.canonicalTypeRank && compare(to: other) == 0
    }

    /// A number cut off at the decimal point; nil for other types, NaN, infinities and what Int64 cannot hold.
    @inline(__always)
    var truncatedInt64: Int64? { type.isNumber ? number?.asInt64Truncated : nil }
}

extension CollatedTest {
    func matches(_ value: RawValue, _ context: MatchContext) -> Bool {
        collator._withUnsafeGuaranteedRef { collator in
            switch condition {
            case .equal(let operand): value.equals(operand, by: collator)
            // Neither a number nor an end of the order: such operands hold no text.
            case .compare(let comparison, let operand):
                value.type.canonicalTypeRank == operand.type.canonicalTypeRank
                    && comparison.accepts(value.compare(to: operand, by: collator))
            case .oneOf(let set): set.contains(value, context) { $0.compare(to: value, by: collator) }
            }
        }
    }
}

extension ValueSet {
    @inline(__always)
    func contains(_ value: RawValue, _ context: MatchContext = .none) -> Bool {
        contains(value, context) { $0.compare(to: value) }
    }

    /// - Parameter order: of a value in the set, compared to `value`.
    @inline(__always)
    fileprivate func contains(_ value: RawValue, _ context: MatchContext, _ order: (RawValue) -> Int) -> Bool {
        var low = 0
        var high = values.count
        while low < high {
            let middle = (low + high) / 2
            let order = order(values[middle])
            if order == 0 { return values[middle].type.canonicalTypeRank == value.type.canonicalTypeRank }
            if order < 0 { low = middle + 1 } else { high = middle }
        }
        for index in 0..<regexes.count {
            guard context.maySearch(value) else { return false }
            if regexes[index]._withUnsafeGuaranteedRef({ $0.matches(value) }) { return true }
        }
        return false
    }
}
