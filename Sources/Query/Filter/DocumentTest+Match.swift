internal import BSON
internal import CommandModel

extension DocumentTest {
    /// - Parameter context: told the array index of the last match in an array. Negations leave it alone, and so do
    ///   alternatives on different paths: which of them held is not something `$` may depend on.
    func matches(_ document: RawDocument, _ context: MatchContext) -> Bool {
        switch self {
        case .constant(let value): return value
        case .fields(let groups): return Self.matches(groups, document, context)
        case .schema(let nodes): return nodes[0].matches(document, context)
        case .all(let children):
            for index in 0..<children.count where !children[index].matches(document, context) { return false }
            return context.mayGoOn(children.count)
        case .any(let children):
            let context = context.wantsPosition && Self.shareOnePath(children) ? context : context.silent
            for index in 0..<children.count {
                guard context.mayGoOn() else { return false }
                if children[index].matches(document, context) { return true }
                context.forget()
            }
            return false
        case .none(let children):
            for index in 0..<children.count {
                guard context.mayGoOn(), !children[index].matches(document, context.silent) else { return false }
            }
            return true
        case .near(let condition): return condition._withUnsafeGuaranteedRef { $0.matches(document) }
        case .text(let condition): return condition._withUnsafeGuaranteedRef { $0.matches(document) }
        case .sample(let rate): return Double.random(in: 0..<1) < rate
        // Only `evaluate` knows how.
        case .expression: return false
        }
    }

    /// As ``matches(_:_:)``, for tests with expressions in them, which may fail.
    func evaluate(
        _ document: RawDocument, _ context: MatchContext, _ run: Evaluator
    ) throws(CommandError) -> Bool {
        switch self {
        case .constant, .fields, .schema, .near, .text, .sample: return matches(document, context)
        case .all(let children):
            for index in 0..<children.count {
                guard try children[index].evaluate(document, context, run) else { return false }
            }
            return true
        case .any(let children):
            let context = context.wantsPosition && Self.shareOnePath(children) ? context : context.silent
            for index in 0..<children.count {
                if try children[index].evaluate(document, context, run) { return true }
                context.forget()
            }
            return false
        case .none(let children):
            for index in 0..<children.count {
                if try children[index].evaluate(document, context.silent, run) { return false }
            }
            return true
        case .expression(let expression): return try expression.evaluate(run).isTruthy
        }
    }

    /// Whether all alternatives are one test each of one and the same path, as `$in` would say it.
    private static func shareOnePath(_ children: ArenaList<DocumentTest>) -> Bool {
        guard let first = children[0].onlyTest else { return false }
        return children.nodes.dropFirst().allSatisfy { child in
            guard let other = child.onlyTest, other.key == first.key else { return false }
            return other.test.steps.nodes.elementsEqual(first.test.steps.nodes) { $0.key == $1.key }
        }
    }

    private var onlyTest: (key: RawKey, test: PathTest)? {
        guard case .fields(let groups) = self, groups.count == 1, groups[0].tests.count == 1 else { return nil }
        return (groups[0].key, groups[0].tests[0])
    }

    private static func matches(
        _ groups: ArenaList<FieldGroup>, _ document: RawDocument, _ context: MatchContext
    ) -> Bool {
        if groups.count == 1 {
            let group = groups[0]
            return group.matches(document[group.key], context)
        }
        // The compiler puts at most 64 groups into one list; the first field of a name counts, as everywhere.
        var unseen = groups.count == 64 ? UInt64.max : (1 << UInt64(groups.count)) - 1
        for element in document {
            for index in 0..<groups.count where unseen & (1 << UInt64(index)) != 0 && groups[index].key == element.key {
                guard groups[index].matches(element.value, context) else { return false }
                unseen &= ~(1 << UInt64(index))
                if unseen == 0 { return true }
            }
        }
        for index in 0..<groups.count where unseen & (1 << UInt64(index)) != 0 {
            guard groups[index].matches(nil, context) else { return false }
        }
        return true
    }
}

extension FieldGroup {
    @inline(__always)
    func matches(_ value: RawValue?, _ context: MatchContext) -> Bool {
        for index in 0..<tests.count {
            guard context.mayGoOn(), tests[index].matches(value, context) else { return false }
        }
        return true
    }
}

extension PathTest {
    @inline(__always)
    func matches(_ value: RawValue?, _ context: MatchContext) -> Bool {
        Self.walk(value, steps, 0, test, isNegated ? context.silent : context) != isNegated
    }

    /// Whether some value at `steps[depth...]` below `value` passes. The recursion is as deep as the path is long,
    /// which the compiler bounds.
    private static func walk(
        _ value: RawValue?, _ steps: ArenaList<PathStep>, _ depth: Int, _ test: ValueTest, _ context: MatchContext
    ) -> Bool {
        guard depth < steps.count else { return atEnd(value, test, context) }
        guard let value else { return test.matches(nil, context.silent) }
        switch value.type {
        case .document:
            return walk(value.document?[steps[depth].key], steps, depth + 1, test, context)
        case .array:
            return walkArray(value, steps, depth, test, context)
        default:
            return test.matches(nil, context.silent)
        }
    }

    /// A step into an array goes to the documents in it, and, if it spells an index, to that element as well.
    /// Arrays directly within arrays are entered only by index.
    private static func walkArray(
        _ value: RawValue, _ steps: ArenaList<PathStep>, _ depth: Int, _ test: ValueTest, _ context: MatchContext
    ) -> Bool {
        guard let array = value.array else { return false }
        let step = steps[depth]
        var index = 0
        for element in array {
            guard context.mayGoOn() else { return false }
            if element.value.type == .document,
                walk(element.value.document?[step.key], steps, depth + 1, test, context.silent)
            {
                context.note(index)
                return true
            }
            // An element named by its index was not found by the query, so `$` does not stand for it.
            if index == step.index, matchesByIndex(element.value, steps, depth, test, context.silent) { return true }
            index += 1
        }
        return false
    }

    private static func matchesByIndex(
        _ element: RawValue, _ steps: ArenaList<PathStep>, _ depth: Int, _ test: ValueTest, _ context: MatchContext
    ) -> Bool {
        // An index at the end of a path means that element itself: an array there is not looked into.
        if depth + 1 == steps.count { return test.matches(element, context) }
        guard element.type == .document || element.type == .array else { return false }
        return walk(element, steps, depth + 1, test, context.silent)
    }

    @inline(__always)
    private static func atEnd(_ value: RawValue?, _ test: ValueTest, _ context: MatchContext) -> Bool {
        guard let value, value.type == .array else { return test.matches(value, context.silent) }
        guard test.looksIntoArrays else { return test.matches(value, context) }
        return elementsPass(value, test, context) || test.matches(value, context.silent)
    }

    private static func elementsPass(_ value: RawValue, _ test: ValueTest, _ context: MatchContext) -> Bool {
        guard let array = value.array else { return false }
        var index = 0
        for element in array {
            guard context.mayGoOn() else { return false }
            if test.matches(element.value, context.silent) {
                context.note(index)
                return true
            }
            index += 1
        }
        return false
    }
}
