internal import BSON
internal import CommandModel

/// `$firstN $lastN $maxN $minN` of an array, with operands `n` and `input`.
enum ArraySelectionOperator {
    case first, last, max, min

    static let rules: [OperatorRule] = [
        .named("$firstN", .arraySelection(.first), names), .named("$lastN", .arraySelection(.last), names),
        .named("$maxN", .arraySelection(.max), names), .named("$minN", .arraySelection(.min), names),
    ]

    private static let names = NamedOperands(
        required: ["n", "input"], optional: [], notDocument: ErrorCode(5_787_900), unknown: ErrorCode(5_787_901),
        absent: ErrorCode(5_787_906))

    func evaluate(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        let count = try Self.count(try operands[0].evaluate(run))
        let input = try operands[1].evaluate(run)
        guard let array = input?.array else {
            throw CommandError(ErrorCode(5_788_200), "Input must be an array, found: \(input.typeName)")
        }
        let base = run.stack.count
        // What is null does not count as an extreme.
        let skipsNull = self == .max || self == .min
        for element in array where !(skipsNull && (element.value as RawValue?).isNullish) {
            try run.push(element.value)
        }
        return try take(count, base, run)
    }

    private static func count(_ value: RawValue?) throws(CommandError) -> Int {
        guard let count = value?.number?.asInt64Exact, count > 0 else {
            throw CommandError(
                ErrorCode(7_548_606),
                "Value for 'n' must be a positive integer, found: \(value?.errorText ?? "nothing")")
        }
        return Int(count)
    }

    private func take(_ count: Int, _ base: Int, _ run: Evaluator) throws(CommandError) -> RawValue {
        var values = run.stack.elements(from: base)
        switch self {
        case .first: break
        case .last:
            let surplus = values.count - Swift.min(count, values.count)
            for index in surplus..<values.count { run.stack[base + index - surplus] = values[index] }
        case .max: values.sort { ComparisonOperator.order($0.value, $1.value) > 0 }
        case .min: values.sort { ComparisonOperator.order($0.value, $1.value) < 0 }
        }
        run.stack.removeAll(from: base + Swift.min(count, values.count))
        return try run.popArray(from: base)
    }
}
