internal import BSON
internal import CommandModel

/// A document as a point of a curve: `sortBy` is one axis, the function's `input` the other one.
struct WindowPoint {
    let x: Number
    let y: Number
}

/// `$derivative` and what it has in common with `$integral`.
enum WindowSlope {
    /// - Returns: nil where the input is null.
    /// - Throws: when `sortBy` is no date but there is a unit, or no number and there is none.
    static func point(
        of input: Expression, _ unit: DateUnit?, _ index: Int, in partition: WindowPartition, _ run: Evaluator
    ) throws(CommandError) -> WindowPoint? {
        let x = try place(index, unit, in: partition)
        let y = try partition.visit(index, run) { () throws(CommandError) -> Number? in
            guard let value = try input.evaluate(run), !value.isNullish else { return nil }
            guard let number = value.number else {
                throw CommandError(
                    ErrorCode(5_423_900),
                    "the input of $integral and $derivative must be numeric, not "
                        + "\(value.type.alias)")
            }
            return number
        }
        return y.map { WindowPoint(x: x, y: $0) }
    }

    /// A date in its unit.
    private static func place(
        _ index: Int, _ unit: DateUnit?, in partition: WindowPartition
    ) throws(CommandError) -> Number {
        switch (partition.position(index), unit) {
        case (.number(let number), nil): return number
        case (.date(let date), let unit?):
            return .double(Double(date) / Double(unit.milliseconds ?? 1))
        case (_, nil):
            throw CommandError(
                ErrorCode(5_624_902), "a function without a 'unit' expects the sortBy field to be numeric")
        default:
            throw CommandError(ErrorCode(5_624_900), "a function with a 'unit' expects the sortBy field to be a Date")
        }
    }

    /// The slope between the first and the last document of a frame; nil of less than two.
    static func derivative(
        of input: Expression, _ unit: DateUnit?, over range: Range<Int>, in partition: WindowPartition,
        _ run: Evaluator
    ) throws(CommandError) -> Number? {
        guard range.count > 1 else { return nil }
        guard let first = try point(of: input, unit, range.lowerBound, in: partition, run),
            let last = try point(of: input, unit, range.upperBound - 1, in: partition, run)
        else { return nil }
        let width = last.x.difference(first.x)
        return width.isZero ? nil : last.y.difference(first.y).quotient(width)
    }
}

/// The area under the points of a frame, for `$integral`.
struct WindowArea {
    private(set) var total: Number? = .double(0)
    private var last: WindowPoint?

    mutating func add(_ point: WindowPoint?) {
        guard let point else { return total = nil }
        if let last, let area = total {
            let width = point.x.difference(last.x)
            total = area.sum(last.y.sum(point.y).product(width).quotient(.int32(2)))
        }
        last = point
    }
}

/// The documents around those that `$linearFill` fills.
struct WindowLine {
    private var before: WindowPoint?
    private var after: WindowPoint?
    /// Up to where there is no other point than `after`.
    private var searched = 0

    /// - Returns: whether the document has a value itself.
    mutating func move(
        to index: Int, _ input: Expression, in partition: WindowPartition, _ run: Evaluator
    ) throws(CommandError) -> Bool {
        let x = try Self.place(index, in: partition)
        if index > 0, try Self.place(index - 1, in: partition).compare(to: x) == 0 {
            throw CommandError(
                ErrorCode(6_050_106), "There can be no repeated values in the sort field for $linearFill")
        }
        if index < searched {
            // Inside of a gap; its last document is the next point.
            guard index == searched - 1, let after else { return false }
            (before, self.after) = (after, nil)
            return true
        }
        searched = index
        while searched < partition.count {
            let y = try Self.number(searched, input, in: partition, run)
            searched += 1
            if let y {
                after = WindowPoint(x: try Self.place(searched - 1, in: partition), y: y)
                break
            }
        }
        guard searched - 1 == index, let after else { return false }
        (before, self.after) = (after, nil)
        return true
    }

    /// The value between both points; nil unless there are both.
    func value(at index: Int, in partition: WindowPartition) throws(CommandError) -> Number? {
        guard let before, let after else { return nil }
        let x = try Self.place(index, in: partition)
        let slope = after.y.difference(before.y).quotient(after.x.difference(before.x))
        return before.y.sum(x.difference(before.x).product(slope))
    }

    private static func place(_ index: Int, in partition: WindowPartition) throws(CommandError) -> Number {
        switch partition.position(index) {
        case .number(let number): return number
        case .date(let date): return .int64(date)
        case .other:
            throw CommandError(.typeMismatch, "$linearFill expects the sortBy field to be numeric or a Date")
        }
    }

    private static func number(
        _ index: Int, _ input: Expression, in partition: WindowPartition, _ run: Evaluator
    ) throws(CommandError) -> Number? {
        try partition.visit(index, run) { () throws(CommandError) in
            guard let value = try input.evaluate(run), !value.isNullish else { return nil }
            guard let number = value.number else {
                throw CommandError(.typeMismatch, "Value to be filled must be numeric or nullish")
            }
            return number
        }
    }
}
