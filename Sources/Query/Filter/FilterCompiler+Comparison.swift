internal import BSON
internal import CommandModel

extension FilterCompiler {
    mutating func compileEqual(
        _ path: FieldPath, _ value: RawValue, into conjunction: inout Conjunction
    ) throws(CommandError) {
        guard value.type == .regex else { return try addEquality(path, value, to: &conjunction) }
        add(path, try regexEquality(value), to: &conjunction)
    }

    mutating func compileComparison(
        _ path: FieldPath, _ element: RawElement, into conjunction: inout Conjunction
    ) throws(CommandError) {
        let test = try comparison(element)
        if let (comparison, value) = test.comparisonOperand {
            note(path.whole, .compare(comparison, value))
        } else {
            note(path.whole, .other)
        }
        conjunction.add(path.key, PathTest(steps: path.steps, isNegated: false, test: test))
    }

    mutating func compileIn(
        _ path: FieldPath, _ value: RawValue, into conjunction: inout Conjunction
    ) throws(CommandError) {
        let set = try valueSet("$in", value)
        note(path.whole, set.regexes.isEmpty ? .oneOf(Array(set.values.nodes)) : .other)
        conjunction.add(path.key, PathTest(steps: path.steps, isNegated: false, test: oneOf(set)))
    }

    func equality(_ value: RawValue) throws(CommandError) -> ValueTest {
        try refuseUndefined(value)
        return collated(.equal(value), value) ?? .equal(value)
    }

    /// `$eq` compares with a regular expression as a value, it does not apply it.
    func regexEquality(_ value: RawValue) throws(CommandError) -> ValueTest { .equal(value) }

    func notEqualOperand(_ value: RawValue) throws(CommandError) -> ValueTest {
        guard value.type != .regex else { throw CommandError(.badValue, "Can't have regex as arg to $ne.") }
        return try equality(value)
    }

    func comparison(_ element: RawElement) throws(CommandError) -> ValueTest {
        let value = element.value
        try refuseUndefined(value)
        guard value.type != .regex else {
            throw CommandError(.badValue, "Can't have RegEx as arg to predicate over field '\(element.key.string)'.")
        }
        let comparison: Comparison =
            switch element.key {
            case "$gt": .greater
            case "$gte": .greaterOrEqual
            case "$lt": .less
            default: .lessOrEqual
            }
        return collated(.compare(comparison, value), value) ?? .compare(comparison, value)
    }

    func valueSet(_ name: StaticString, _ value: RawValue) throws(CommandError) -> ValueSet {
        guard let array = value.array else { throw CommandError(.badValue, "\(name) needs an array") }
        var values: [RawValue] = []
        var regexes: [Unmanaged<CompiledRegex>] = []
        for element in array {
            if element.value.type == .regex {
                regexes.append(try compiledRegex(element.value))
                continue
            }
            guard element.value.operatorDocument == nil else {
                throw CommandError(.badValue, "cannot nest $ under $in")
            }
            try refuseUndefined(element.value)
            values.append(element.value)
        }
        values.sort { $0.compare(to: $1, collator: collator) < 0 }
        return ValueSet(
            values: arena.list(values), regexes: arena.list(regexes), hasNull: values.contains { $0.type == .null })
    }

    func oneOf(_ set: ValueSet) -> ValueTest {
        let text = set.values.nodes.first(where: \.holdsText)
        return text.flatMap { collated(.oneOf(set), $0) } ?? .oneOf(set)
    }

    /// The comparison as a test by the collator; nil when there is none, or when `operand` holds nothing it compares.
    private func collated(_ condition: CollatedTest.Condition, _ operand: RawValue) -> ValueTest? {
        guard let collator, operand.holdsText else { return nil }
        let test = CollatedTest(collator: .passUnretained(collator), condition: condition)
        return .collated(arena.list([test]))
    }

    private func refuseUndefined(_ value: RawValue) throws(CommandError) {
        guard value.type != .undefined else { throw CommandError(.badValue, "cannot compare to undefined") }
    }
}
