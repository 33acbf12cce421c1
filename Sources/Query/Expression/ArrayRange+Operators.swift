internal import BSON
internal import CommandModel

// `$range` and `$slice`.
extension ArrayOperator {
    /// As many numbers as MongoDB makes at most: 100 MiB in its own representation.
    private static let rangeCountMax = 100 * 1024 * 1024 / 16

    static func range(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        let start = try rangeBound(try operands[0].evaluate(run), "starting value", 34443, 34444)
        let end = try rangeBound(try operands[1].evaluate(run), "ending value", 34445, 34446)
        let step = operands.count > 2 ? try rangeBound(try operands[2].evaluate(run), "step value", 34447, 34448) : 1
        guard step != 0 else { throw CommandError(ErrorCode(34449), "$range requires a non-zero step value") }
        let distance = step > 0 ? end - start : start - end
        let count = distance <= 0 ? 0 : (distance - 1) / abs(step) + 1
        guard count <= rangeCountMax else {
            throw CommandError(
                .exceededMemoryLimit, "$range would make \(count) numbers, more than the limit of \(rangeCountMax)")
        }
        return try run.integers(from: start, step: step, count: count)
    }

    private static func rangeBound(
        _ value: RawValue?, _ name: StaticString, _ notNumeric: Int32, _ notIntegral: Int32
    ) throws(CommandError) -> Int {
        guard let number = value?.number else {
            throw CommandError(
                ErrorCode(notNumeric), "$range requires a numeric \(name), found value of type: \(value.typeName)")
        }
        guard let bound = number.asInt32Exact else {
            throw CommandError(
                ErrorCode(notIntegral),
                "$range requires a \(name) that can be represented as a 32-bit integer, found value: "
                    + "\(value?.errorText ?? "")")
        }
        return Int(bound)
    }

    /// `[array, n]`: the first n, or the last for a negative n; `[array, position, n]`: n from the position on.
    static func slice(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        let array = try operands[0].evaluate(run)
        let first = try operands[1].evaluate(run)
        if array.isNullish || first.isNullish { return .nothing(.null) }
        guard let elements = array?.array else {
            throw CommandError(
                ErrorCode(28724), "First argument to $slice must be an array, but is of type: \(array.typeName)")
        }
        let number = try sliceBound(first, "Second", 28725, 28726)
        guard operands.count > 2 else {
            return try part(elements, from: number < 0 ? number : 0, abs(number), run)
        }
        let second = try operands[2].evaluate(run)
        if second.isNullish { return .nothing(.null) }
        let count = try sliceBound(second, "Third", 28727, 28728)
        guard count > 0 else {
            throw CommandError(ErrorCode(28729), "Third argument to $slice must be positive: \(count)")
        }
        return try part(elements, from: number, count, run)
    }

    private static func sliceBound(
        _ value: RawValue?, _ which: StaticString, _ notNumeric: Int32, _ notIntegral: Int32
    ) throws(CommandError) -> Int {
        guard let number = value?.number else {
            throw CommandError(
                ErrorCode(notNumeric), "\(which) argument to $slice must be numeric, but is of type: \(value.typeName)")
        }
        guard let bound = number.asInt32Exact else {
            throw CommandError(
                ErrorCode(notIntegral),
                "\(which) argument to $slice can't be represented as a 32-bit integer: \(value?.errorText ?? "")")
        }
        return Int(bound)
    }

    private static func part(
        _ elements: RawDocument, from position: Int, _ count: Int, _ run: Evaluator
    ) throws(CommandError) -> RawValue {
        try run.spend(bytes: elements.bytes.count)
        let start = position < 0 ? max(elements.elementCount + position, 0) : position
        let base = run.stack.count
        var index = 0
        for element in elements {
            guard index - start < count else { break }
            if index >= start { try run.push(element.value) } else { try run.spend() }
            index += 1
        }
        return try run.popArray(from: base)
    }
}

extension Evaluator {
    /// The array of `count` numbers `start`, `start + step` …, all of which fit into 32 bits. Written in place: on the
    /// stack of values a long one would take ten times its size.
    fileprivate func integers(from start: Int, step: Int, count: Int) throws(CommandError) -> RawValue {
        var bytes = 5
        var (digits, least) = (1, 0)
        while least < count {
            let next = min(count, digits == 1 ? 10 : least * 10)
            bytes += (next - least) * (6 + digits)
            (digits, least) = (digits + 1, next)
        }
        var writer = RawWriter(start: try scratch.allocate(bytes), count: bytes)
        for index in 0..<count {
            try spend()
            var number = Int32(truncatingIfNeeded: start + index * step).littleEndian
            withUnsafeBytes(of: &number) { bytes in
                withIndexName(index) { writer.write(RawValue(type: .int32, bytes: bytes), named: $0) }
            }
        }
        return writer.finish(.array)
    }
}
