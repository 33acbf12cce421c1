internal import BSON
internal import CommandModel

extension FilterCompiler {
    func arraySize(_ value: RawValue) throws(CommandError) -> Int {
        guard value.type.isNumber else {
            throw CommandError(.badValue, "Failed to parse $size. Expected a number in: $size")
        }
        guard let size = value.number?.asInt64Exact, let size = Int32(exactly: size) else {
            throw CommandError(.badValue, "Failed to parse $size. Expected an integer: $size")
        }
        guard size >= 0 else {
            throw CommandError(.badValue, "Failed to parse $size. Expected a non-negative number in: $size: \(size)")
        }
        return Int(size)
    }

    /// `$all` is a conjunction over one path: each member may be met by another element.
    mutating func compileAll(
        _ path: FieldPath, _ value: RawValue, into conjunction: inout Conjunction, depth: Int
    ) throws(CommandError) {
        let tests = try allTests(value, depth: depth)
        guard !tests.isEmpty else {
            note(path.whole, .other)
            conjunction.add(.constant(false))
            return
        }
        for test in tests.nodes {
            if let operand = test.equalityOperand, tests.count == 1 {
                note(path.whole, .equal(operand))
            } else {
                note(path.whole, .other)
            }
            conjunction.add(path.key, PathTest(steps: path.steps, isNegated: false, test: test))
        }
    }

    mutating func allTests(_ value: RawValue, depth: Int) throws(CommandError) -> ArenaList<ValueTest> {
        guard let array = value.array else { throw CommandError(.badValue, "$all needs an array") }
        let members = array.map(\.value)
        let isElementMatch = members.first.map(Self.isElementMatch) ?? false
        var tests: [ValueTest] = []
        for member in members {
            tests.append(try allMember(member, isElementMatch: isElementMatch, depth: depth))
        }
        return arena.list(tests)
    }

    private mutating func allMember(
        _ member: RawValue, isElementMatch: Bool, depth: Int
    ) throws(CommandError) -> ValueTest {
        guard Self.isElementMatch(member) == isElementMatch else {
            throw CommandError(.badValue, "$all/$elemMatch has to be consistent")
        }
        if isElementMatch, let condition = member.document?["$elemMatch"] {
            return try elementMatch(condition, depth: depth + 1)
        }
        if let first = member.operatorDocument?.firstKey, Self.isPathOperator(first) {
            throw CommandError(.badValue, "no $ expressions in $all")
        }
        return try member.type == .regex ? regexLiteral(member) : equality(member)
    }

    /// Any other name with a dollar may be one of a document to be found, such as a stage in the pipeline of a view.
    private static func isPathOperator(_ name: RawKey) -> Bool {
        switch name {
        case "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$type", "$size", "$mod", "$regex",
            "$options", "$all", "$not", "$elemMatch", "$bitsAllSet", "$bitsAnySet", "$bitsAllClear", "$bitsAnyClear",
            "$geoWithin", "$within", "$geoIntersects", "$near", "$nearSphere", "$geoNear", "$maxDistance",
            "$minDistance":
            true
        default: false
        }
    }

    private static func isElementMatch(_ value: RawValue) -> Bool {
        guard let first = value.document?.firstKey else { return false }
        return first == "$elemMatch"
    }

    mutating func elementMatch(_ value: RawValue, depth: Int) throws(CommandError) -> ValueTest {
        guard let condition = value.document else {
            throw CommandError(.badValue, "$elemMatch needs an Object")
        }
        return try ofElements { compiler throws(CommandError) in
            if value.isConditionOnValues {
                return .elementPasses(try compiler.valueTests(condition, depth: depth + 1))
            }
            return .elementMatches(compiler.arena.list([try compiler.compile(condition, depth: depth + 1)]))
        }
    }
}

extension RawValue {
    /// `{$gt: 5}` is put to the elements of an array themselves, `{a: 5}` and `{$or: […]}` to documents among them.
    var isConditionOnValues: Bool {
        guard let first = operatorDocument?.firstKey else { return false }
        return switch first {
        case "$and", "$or", "$nor", "$where", "$expr": false
        default: true
        }
    }
}
