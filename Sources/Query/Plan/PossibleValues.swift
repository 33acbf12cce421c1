internal import BSON

/// The values that pass a test.
struct PossibleValues {
    /// Whatever passes is in it.
    var set: IntervalSet
    /// Whatever is in it passes.
    var isExact: Bool

    func and(_ other: PossibleValues) -> PossibleValues {
        PossibleValues(set: set.intersection(other.set), isExact: isExact && other.isExact)
    }
}

/// The order of text in the keys of an index, and that of the filter that looks for them.
struct KeyOrder {
    let collator: Collator?
    /// Text compares alike on both sides.
    let agreesOnText: Bool

    init(index: Collator?, filter: Collator?) {
        collator = index
        agreesOnText = index?.collation == filter?.collation
    }

    /// All keys of one value; nil for one that holds text which the filter compares in another way.
    func point(_ value: RawValue) -> ValueInterval? {
        guard agreesOnText || !value.holdsText else { return nil }
        let key = ValueOrder(collator).key(of: value)
        return ValueInterval(
            lower: ValueCut(bytes: key, edge: .value(value), isAfter: false),
            upper: ValueCut(bytes: key.successor, edge: .value(value), isAfter: true))
    }

    func points(_ values: [RawValue]) -> IntervalSet? {
        var points: [ValueInterval] = []
        for value in values {
            guard let point = point(value) else { return nil }
            points.append(point)
        }
        return IntervalSet(points)
    }
}

extension ValueTest {
    /// Which single values pass, an array standing for itself: what the test says of the elements of an array, and of
    /// what stands at the end of a path as long as that is none. Nil when it says nothing.
    func possibleValues(_ order: KeyOrder) -> PossibleValues? {
        switch self {
        case .equal(let operand): order.point(operand).map { PossibleValues(set: IntervalSet([$0]), isExact: true) }
        case .compare(let comparison, let operand): Self.compared(comparison, operand, order)
        case .oneOf(let set): Self.oneOf(set, order)
        case .collated(let tests): tests[0].plain.possibleValues(order)
        case .exists: PossibleValues(set: .everything, isExact: true)
        case .type(let mask): mask.possibleValues
        case .modulo: PossibleValues(set: IntervalSet([.bracket(of: .double)]), isExact: false)
        case .bits:
            PossibleValues(set: IntervalSet([.bracket(of: .double), .bracket(of: .binary)]), isExact: false)
        case .regex(let regex): regex._withUnsafeGuaranteedRef { $0.possibleValues(order) }
        case .size, .elementMatches, .elementPasses:
            PossibleValues(set: IntervalSet([.bracket(of: .array)]), isExact: false)
        case .all(let tests): Self.passingAll(tests, order)
        case .not(let tests): Self.passingNotAll(tests, order)
        case .geometry: nil
        }
    }

    /// Always says something.
    static func passingAll(_ tests: ArenaList<ValueTest>, _ order: KeyOrder) -> PossibleValues {
        tests.nodes.reduce(PossibleValues(set: .everything, isExact: true)) { values, test in
            values.and(test.possibleValues(order) ?? PossibleValues(set: .everything, isExact: false))
        }
    }

    private static func passingNotAll(_ tests: ArenaList<ValueTest>, _ order: KeyOrder) -> PossibleValues? {
        let passing = passingAll(tests, order)
        return passing.isExact ? PossibleValues(set: passing.set.complement, isExact: true) : nil
    }

    private static func oneOf(_ set: ValueSet, _ order: KeyOrder) -> PossibleValues? {
        guard let points = order.points(Array(set.values.nodes)) else { return nil }
        var values = PossibleValues(set: points, isExact: true)
        for regex in set.regexes.nodes {
            guard let matching = regex._withUnsafeGuaranteedRef({ $0.possibleValues(order) }) else { return nil }
            values = PossibleValues(
                set: values.set.union(matching.set), isExact: values.isExact && matching.isExact)
        }
        return values
    }

    /// Comparisons stay within the types that compare with the operand, but for the two ends of the order.
    private static func compared(
        _ comparison: Comparison, _ operand: RawValue, _ order: KeyOrder
    ) -> PossibleValues? {
        guard let point = order.point(operand) else { return nil }
        var interval = point
        if operand.isNaN || operand.type == .null {
            // Nothing is less or greater than these.
            return PossibleValues(set: comparison.includesEqual ? IntervalSet([point]) : .nothing, isExact: true)
        }
        let isEnd = operand.type == .minKey || operand.type == .maxKey
        let all: ValueInterval =
            isEnd ? .everything : operand.type.isNumber ? .comparableNumbers : .bracket(of: operand.type)
        switch comparison {
        case .less: interval = ValueInterval(lower: all.lower, upper: point.lower)
        case .lessOrEqual: interval = ValueInterval(lower: all.lower, upper: point.upper)
        case .greater: interval = ValueInterval(lower: point.upper, upper: all.upper)
        case .greaterOrEqual: interval = ValueInterval(lower: point.lower, upper: all.upper)
        }
        return PossibleValues(set: IntervalSet([interval]), isExact: true)
    }
}

extension TypeMask {
    /// Types that compare with each other share a range of keys, and a key does not tell them apart.
    fileprivate var possibleValues: PossibleValues {
        var intervals: [ValueInterval] = []
        var isExact = true
        for members in Self.comparableTypes {
            let met = members.count(where: contains)
            guard met > 0 else { continue }
            intervals.append(.bracket(of: members[0]))
            if met < members.count { isExact = false }
        }
        return PossibleValues(set: IntervalSet(intervals), isExact: isExact)
    }

    private static let comparableTypes: [[BSONType]] = [
        [.double, .int32, .int64, .decimal128], [.string, .symbol], [.minKey], [.undefined], [.null], [.document],
        [.array], [.binary], [.objectID], [.bool], [.date], [.timestamp], [.regex], [.dbPointer], [.javascript],
        [.javascriptWithScope], [.maxKey],
    ]
}

extension CompiledRegex {
    /// Texts with the prefix of the expression, and the expression itself.
    fileprivate func possibleValues(_ order: KeyOrder) -> PossibleValues? {
        guard let literal = KeyOrder(index: nil, filter: nil).point(source), let parts = source.regex else {
            return nil
        }
        let prefix = RegexPrefix(pattern: parts.pattern, options: parts.options)
        // Sort keys of a collation do not begin alike where texts do.
        guard order.collator == nil, !prefix.bytes.isEmpty else {
            return PossibleValues(set: IntervalSet([.bracket(of: .string), literal]), isExact: false)
        }
        return PossibleValues(set: IntervalSet([prefix.interval, literal]), isExact: prefix.isExact)
    }
}

extension RegexPrefix {
    fileprivate var interval: ValueInterval {
        let key = Value.string(String(decoding: bytes, as: UTF8.self)).withRaw { KeyEncoder.encode($0) as [UInt8] }
        // Without the byte that ends a text.
        let open = Array(key.dropLast())
        return ValueInterval(
            lower: ValueCut(bytes: key, edge: .text(bytes), isAfter: false),
            upper: ValueCut(bytes: open.successor, edge: .text(bytes.successor), isAfter: false))
    }
}
