internal import BSON
internal import CommandModel

/// `$allElementsTrue $anyElementTrue $setDifference $setEquals $setIntersection $setIsSubset $setUnion`.
///
/// Arrays taken as sets are sorted, without duplicates, side by side on the evaluator's stack: so two of them are
/// compared in one walk over both, and equality is that of the order of all values. Of equal elements the first one
/// stays.
enum SetOperator {
    case allTrue, anyTrue, difference, equals, intersection, isSubset, union

    static let rules: [OperatorRule] = [
        .exactly(1, "$allElementsTrue", .set(.allTrue)), .exactly(1, "$anyElementTrue", .set(.anyTrue)),
        .exactly(2, "$setDifference", .set(.difference)), .special("$setEquals", .setEquals),
        .special("$setIntersection", .constantsLast(.set(.intersection))), .exactly(2, "$setIsSubset", .set(.isSubset)),
        .special("$setUnion", .constantsLast(.set(.union))),
    ]

    func evaluate(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        switch self {
        case .allTrue: try Self.allTrue(try operands[0].evaluate(run), run)
        case .anyTrue: try Self.anyTrue(try operands[0].evaluate(run), run)
        case .difference: try Self.difference(operands, run)
        case .equals: try Self.equals(operands, run)
        case .intersection: try Self.intersection(operands, run)
        case .isSubset: try Self.isSubset(operands, run)
        case .union: try Self.union(operands, run)
        }
    }

    private static func allTrue(_ value: RawValue?, _ run: Evaluator) throws(CommandError) -> RawValue {
        guard let array = value?.array else { throw notArray(17040, "$allElementsTrue's argument", value) }
        for element in array {
            try run.spend()
            if !element.value.isTruthy { return try run.bool(false) }
        }
        return try run.bool(true)
    }

    private static func anyTrue(_ value: RawValue?, _ run: Evaluator) throws(CommandError) -> RawValue {
        guard let array = value?.array else { throw notArray(17041, "$anyElementTrue's argument", value) }
        for element in array {
            try run.spend()
            if element.value.isTruthy { return try run.bool(true) }
        }
        return try run.bool(false)
    }

    fileprivate static func notArray(_ code: Int32, _ what: StaticString, _ value: RawValue?) -> CommandError {
        CommandError(ErrorCode(code), "\(what) must be an array, but is \(value.typeName)")
    }
}

// Operators of sets.
extension SetOperator {
    private static func union(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        let base = run.stack.count
        for index in 0..<operands.count {
            let value = try operands[index].evaluate(run)
            if value.isNullish { return drop(base, run) }
            guard let array = value?.array else { throw notArray(17043, "All operands of $setUnion", value) }
            for element in array { try run.push(element.value) }
        }
        try run.sortSet(from: base)
        return try run.popArray(from: base)
    }

    private static func intersection(
        _ operands: ArenaList<Expression>, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        let base = run.stack.count
        for index in 0..<operands.count {
            let value = try operands[index].evaluate(run)
            if value.isNullish { return drop(base, run) }
            guard let array = value?.array else { throw notArray(17047, "All operands of $setIntersection", value) }
            let other = try run.pushSet(array)
            if index > 0 { try keepCommon(base, other, run) }
        }
        return try run.popArray(from: base)
    }

    private static func drop(_ base: Int, _ run: Evaluator) -> RawValue {
        run.stack.removeAll(from: base)
        return .nothing(.null)
    }

    /// Leaves of the set at `base` what the set at `other`, which ends the stack, has too.
    private static func keepCommon(_ base: Int, _ other: Int, _ run: Evaluator) throws(CommandError) {
        let end = run.stack.count
        var (left, right, kept) = (base, other, base)
        while left < other, right < end {
            let order = try run.compareSpending(left, right)
            if order == 0 {
                run.stack[kept] = run.stack[left]
                kept += 1
            }
            if order <= 0 { left += 1 }
            if order >= 0 { right += 1 }
        }
        run.stack.removeAll(from: kept)
    }

    /// In the order of the first array.
    private static func difference(
        _ operands: ArenaList<Expression>, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        let (first, second) = (try operands[0].evaluate(run), try operands[1].evaluate(run))
        if first.isNullish || second.isNullish { return .nothing(.null) }
        guard let left = first?.array else { throw notArray(17048, "$setDifference's first operand", first) }
        guard let right = second?.array else { throw notArray(17049, "$setDifference's second operand", second) }
        let base = run.stack.count
        let other = try run.pushSet(left, base)
        _ = try run.pushSet(right)
        try keepUncommon(base, other, run)
        try run.sortElements(from: base) { $0.key.count - $1.key.count }
        return try run.popArray(from: base)
    }

    private static func keepUncommon(_ base: Int, _ other: Int, _ run: Evaluator) throws(CommandError) {
        let end = run.stack.count
        var (right, kept) = (other, base)
        for left in base..<other {
            var order = -1
            while right < end {
                order = try run.compareSpending(left, right)
                guard order > 0 else { break }
                right += 1
            }
            guard order != 0 || right == end else { continue }
            run.stack[kept] = run.stack[left]
            kept += 1
        }
        run.stack.removeAll(from: kept)
    }

    private static func equals(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        let base = run.stack.count
        var end = base
        var areEqual = true
        for index in 0..<operands.count {
            let value = try operands[index].evaluate(run)
            guard let array = value?.array else { throw notArray(17044, "All operands of $setEquals", value) }
            let other = try run.pushSet(array)
            guard index > 0 else {
                end = run.stack.count
                continue
            }
            areEqual = areEqual && run.stack.count - other == end - base
            for offset in 0..<(end - base) where areEqual {
                areEqual = try run.compareSpending(base + offset, other + offset) == 0
            }
            run.stack.removeAll(from: other)
        }
        run.stack.removeAll(from: base)
        return try run.bool(areEqual)
    }

    private static func isSubset(
        _ operands: ArenaList<Expression>, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        let (first, second) = (try operands[0].evaluate(run), try operands[1].evaluate(run))
        guard let left = first?.array else { throw notArray(17046, "$setIsSubset's first operand", first) }
        guard let right = second?.array else { throw notArray(17042, "$setIsSubset's second operand", second) }
        let base = run.stack.count
        _ = try run.pushSet(left)
        let other = run.stack.count
        _ = try run.pushSet(right)
        try keepCommon(base, other, run)
        let isSubset = run.stack.count == other
        run.stack.removeAll(from: base)
        return try run.bool(isSubset)
    }
}

extension Evaluator {
    /// Pushes an array as a set.
    ///
    /// - Returns: where it begins on the stack.
    fileprivate func pushSet(_ array: RawDocument) throws(CommandError) -> Int {
        let base = stack.count
        _ = try pushSet(array, base)
        return base
    }

    /// Pushes an array as a set whose elements know their position: an element's name, of which an array has no use, is
    /// as long as that.
    ///
    /// - Returns: where the set ends on the stack.
    fileprivate func pushSet(_ array: RawDocument, _ base: Int) throws(CommandError) -> Int {
        for element in array {
            try spend()
            try stack.push(
                RawElement(key: RawKey(start: element.value.start, count: stack.count - base), value: element.value))
        }
        try sortSet(from: base)
        return stack.count
    }

    /// Sorts what lies on the stack from `base` on, and drops duplicates.
    fileprivate func sortSet(from base: Int) throws(CommandError) {
        // The sort is stable: of equal elements the first one stays the first.
        try sortElements(from: base) { compare($0.value, $1.value) }
        let end = stack.count
        guard base < end else { return }
        var kept = base + 1
        for index in (base + 1)..<end where try compareSpending(kept - 1, index) != 0 {
            stack[kept] = stack[index]
            kept += 1
        }
        stack.removeAll(from: kept)
    }

    /// Compares two elements on the stack.
    fileprivate func compareSpending(_ left: Int, _ right: Int) throws(CommandError) -> Int {
        let (left, right) = (stack[left].value, stack[right].value)
        try spend(bytes: min(left.count, right.count))
        return compare(left, right)
    }
}

extension ExpressionCompiler {
    /// `$setEquals: [set, set, …]`. A constant that is no array is refused here, with a code of its own.
    mutating func setEquals(_ element: RawElement, _ depth: Int) throws(CommandError) -> Expression {
        let values = element.value.array?.map(\.value) ?? [element.value]
        guard values.count >= 2 else {
            throw CommandError(
                ErrorCode(17045), "$setEquals needs at least two arguments, but was given \(values.count)")
        }
        let operands = try list(values, depth)
        for operand in operands.nodes {
            guard case .constant(let value) = operand, value.type != .array else { continue }
            throw SetOperator.notArray(5_887_502, "All operands of $setEquals", value)
        }
        return .call(.set(.equals), operands)
    }

    /// Any number of operands, whose order matters for nothing but errors: MongoDB evaluates constants last.
    mutating func constantsLast(
        _ operation: Operation, _ element: RawElement, _ depth: Int
    ) throws(CommandError) -> Expression {
        let operands = try list(element.value.array?.map(\.value) ?? [element.value], depth).nodes
        return .call(operation, arena.list(operands.filter { !$0.isConstant } + operands.filter(\.isConstant)))
    }
}
