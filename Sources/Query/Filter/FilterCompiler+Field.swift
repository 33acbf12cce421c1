internal import BSON
internal import CommandModel

/// A dotted path, split: the first name and the steps after it.
struct FieldPath {
    let whole: RawKey
    let key: RawKey
    let steps: ArenaList<PathStep>
}

extension FilterCompiler {
    func path(_ whole: RawKey) throws(CommandError) -> FieldPath {
        let components = whole.components
        guard components.count <= Self.pathComponentsMax else {
            throw CommandError(.overflow, "field path has more than \(Self.pathComponentsMax) components")
        }
        let steps = components.dropFirst().map { PathStep(key: $0, index: $0.arrayIndex ?? -1) }
        return FieldPath(whole: whole, key: components[0], steps: arena.list(steps))
    }

    /// `{path: value}`: operators, or the value to be equal to.
    mutating func compileField(
        _ element: RawElement, into conjunction: inout Conjunction, depth: Int
    ) throws(CommandError) {
        let path = try path(element.key)
        if let operators = element.value.operatorDocument {
            try compileOperators(path, operators, into: &conjunction, depth: depth)
        } else if element.value.type == .regex {
            add(path, try regexLiteral(element.value), to: &conjunction)
        } else {
            try addEquality(path, element.value, to: &conjunction)
        }
    }

    mutating func addEquality(
        _ path: FieldPath, _ value: RawValue, to conjunction: inout Conjunction
    ) throws(CommandError) {
        note(path.whole, .equal(value))
        conjunction.add(
            path.key, PathTest(steps: path.steps, isNegated: false, test: try equality(value)))
    }

    mutating func add(
        _ path: FieldPath, _ test: ValueTest, negated isNegated: Bool = false, to conjunction: inout Conjunction
    ) {
        note(path.whole, .other)
        conjunction.add(path.key, PathTest(steps: path.steps, isNegated: isNegated, test: test))
    }

    /// The operators of one field, each a condition of its own: through an array, different elements may meet them.
    mutating func compileOperators(
        _ path: FieldPath, _ operators: RawDocument, into conjunction: inout Conjunction, depth: Int
    ) throws(CommandError) {
        guard depth <= Self.depthMax else {
            throw CommandError(.badValue, "the filter nests conditions deeper than \(Self.depthMax) levels")
        }
        if try compileGeometry(path, operators, into: &conjunction) { return }
        for element in operators {
            switch element.key {
            case "$not": try compileNotOperator(path, element.value, into: &conjunction, depth: depth)
            case "$eq": try compileEqual(path, element.value, into: &conjunction)
            case "$gt", "$gte", "$lt", "$lte": try compileComparison(path, element, into: &conjunction)
            case "$in": try compileIn(path, element.value, into: &conjunction)
            case "$all": try compileAll(path, element.value, into: &conjunction, depth: depth)
            default:
                guard let test = try valueTest(element, among: operators, depth: depth) else { continue }
                add(path, test.test, negated: test.isNegated, to: &conjunction)
            }
        }
    }

    private mutating func compileNotOperator(
        _ path: FieldPath, _ value: RawValue, into conjunction: inout Conjunction, depth: Int
    ) throws(CommandError) {
        try compileNot(path, value, into: &conjunction, depth: depth)
        note(path.whole, .other)
    }

    /// An operator as a test of single values, as `$elemMatch` puts it to the elements of an array.
    ///
    /// - Returns: nil for an operator that says nothing by itself (`$options`).
    mutating func valueTest(
        _ element: RawElement, among operators: RawDocument, depth: Int
    ) throws(CommandError) -> (test: ValueTest, isNegated: Bool)? {
        let value = element.value
        switch element.key {
        case "$eq": return (try value.type == .regex ? regexEquality(value) : equality(value), false)
        case "$ne": return (try notEqualOperand(value), true)
        case "$gt", "$gte", "$lt", "$lte": return (try comparison(element), false)
        case "$in": return (oneOf(try valueSet("$in", value)), false)
        case "$nin": return (oneOf(try valueSet("$nin", value)), true)
        case "$exists": return (.exists, !value.isTruthy)
        case "$type": return (.type(try typeMask(value)), false)
        case "$size": return (.size(try arraySize(value)), false)
        case "$mod": return (try modulo(value), false)
        case "$regex": return (try regex(operators), false)
        case "$options":
            guard operators["$regex"] != nil else { throw CommandError(.badValue, "$options needs a $regex") }
            return nil
        case "$bitsAllSet": return (.bits(try bitTest(.allSet, element)), false)
        case "$bitsAnySet": return (.bits(try bitTest(.anySet, element)), false)
        case "$bitsAllClear": return (.bits(try bitTest(.allClear, element)), false)
        case "$bitsAnyClear": return (.bits(try bitTest(.anyClear, element)), false)
        case "$elemMatch": return (try elementMatch(value, depth: depth), false)
        case "$all": return (.all(try allTests(value, depth: depth)), false)
        case "$not": return (try notTest(value, depth: depth), false)
        default: throw CommandError(.badValue, "unknown operator: \(element.key.string)")
        }
    }

    private mutating func notTest(_ value: RawValue, depth: Int) throws(CommandError) -> ValueTest {
        if value.type == .regex { return .not(arena.list([try regexLiteral(value)])) }
        guard let operators = value.document, !operators.isEmpty else {
            throw CommandError(.badValue, "$not needs a regex or a document")
        }
        return .not(try valueTests(operators, depth: depth + 1))
    }

    /// All operators of a document as tests of one value.
    mutating func valueTests(_ operators: RawDocument, depth: Int) throws(CommandError) -> ArenaList<ValueTest> {
        guard depth <= Self.depthMax else {
            throw CommandError(.badValue, "the filter nests conditions deeper than \(Self.depthMax) levels")
        }
        if let test = try geometryTest(operators) { return arena.list([test]) }
        var tests: [ValueTest] = []
        for element in operators {
            guard let test = try valueTest(element, among: operators, depth: depth) else { continue }
            tests.append(test.isNegated ? .not(arena.list([test.test])) : test.test)
        }
        return arena.list(tests)
    }
}

extension RawKey {
    /// The names between the dots: at least one, perhaps empty.
    var components: [RawKey] {
        var components: [RawKey] = []
        var begin = 0
        for (offset, byte) in bytes.enumerated() where byte == UInt8(ascii: ".") {
            components.append(RawKey(start: start + begin, count: offset - begin))
            begin = offset + 1
        }
        components.append(RawKey(start: start + begin, count: count - begin))
        return components
    }
}

extension RawDocument {
    var firstKey: RawKey? {
        var elements = makeIterator()
        return elements.next()?.key
    }
}

extension RawValue {
    /// The document when it is one of operators: its first field is a `$` name, and it is not a DBRef.
    var operatorDocument: RawDocument? {
        guard let document, let first = document.firstKey, first.startsWithDollar else {
            return nil
        }
        switch first {
        case "$ref", "$id", "$db": return nil
        default: return document
        }
    }
}
