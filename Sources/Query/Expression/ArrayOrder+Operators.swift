internal import BSON
internal import CommandModel

/// `$sortArray`. The operand is the array.
enum ArrayOrderOperator {
    case whole(isDescending: Bool)
    case fields(ArenaList<OrderField>)

    /// A path into the elements; arrays in it are values like others, not searched for their least.
    struct OrderField {
        let steps: ArenaList<RawKey>
        let isDescending: Bool
    }

    static let rules: [OperatorRule] = [.special("$sortArray", .sortArray)]

    func evaluate(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        let input = try operands[0].evaluate(run)
        if input.isNullish { return .nothing(.null) }
        guard let array = input?.array else {
            throw CommandError(
                ErrorCode(2_942_504),
                "The input argument to $sortArray must be an array, but was of type: \(input.typeName)")
        }
        let base = run.stack.count
        for element in array { try run.push(element.value) }
        switch self {
        case .whole(let isDescending): try Self.sort(isDescending, base, run)
        case .fields(let fields): try Self.sort(fields, base, run)
        }
        return try run.popArray(from: base)
    }

    private static func sort(_ isDescending: Bool, _ base: Int, _ run: Evaluator) throws(CommandError) {
        let sign = isDescending ? -1 : 1
        try run.sortElements(from: base) { sign * run.compare($0.value, $1.value).signum() }
    }

    /// The keys of all elements lie above these on the stack, and each element knows which ones are its: its name, of
    /// which an array has no use, is as long as the keys' distance.
    private static func sort(
        _ fields: ArenaList<OrderField>, _ base: Int, _ run: Evaluator
    ) throws(CommandError) {
        let keys = run.stack.count
        for index in base..<keys {
            let value = run.stack[index].value
            run.stack[index] = RawElement(
                key: RawKey(start: value.start, count: (index - base) * fields.count), value: value)
            for position in 0..<fields.count {
                try run.push(try ValuePath.walk(value, fields[position].steps, 0, run) ?? .nothing(.null))
            }
        }
        try run.sortElements(from: base, to: keys) { left, right in
            for position in 0..<fields.count {
                let order = run.compare(
                    run.stack[keys + left.key.count + position].value,
                    run.stack[keys + right.key.count + position].value)
                if order != 0 { return fields[position].isDescending ? -order.signum() : order.signum() }
            }
            return 0
        }
        run.stack.removeAll(from: keys)
    }
}

extension ExpressionCompiler {
    /// `$sortArray: {input:, sortBy: 1 | -1 | {path: 1 | -1, …}}`.
    mutating func sortArray(_ element: RawElement, _ depth: Int) throws(CommandError) -> Expression {
        guard let document = element.value.document else {
            throw CommandError(
                ErrorCode(2_942_500), "$sortArray requires an object as an argument, found: \(element.value.type.alias)"
            )
        }
        var (input, order): (RawValue?, RawValue?) = (nil, nil)
        for part in document {
            switch part.key {
            case "input": input = part.value
            case "sortBy": order = part.value
            default:
                throw CommandError(
                    ErrorCode(2_942_501), "$sortArray found an unknown argument: \(part.key.string)")
            }
        }
        guard let input else { throw CommandError(ErrorCode(2_942_502), "$sortArray requires 'input' to be specified") }
        guard let order else {
            throw CommandError(ErrorCode(2_942_503), "$sortArray requires 'sortBy' to be specified")
        }
        let operand = try compile(input, depth: depth + 1)
        return .call(.arrayOrder(try arrayOrder(order)), arena.list([operand]))
    }

    private func arrayOrder(_ order: RawValue) throws(CommandError) -> ArrayOrderOperator {
        if let document = order.document { return .fields(try orderFields(document)) }
        guard let number = order.number else {
            throw CommandError(
                ErrorCode(2_942_507),
                "The $sort element value must be either 1 or -1 or an object, found: \(order.type.alias)")
        }
        guard let sign = number.asInt64Exact, sign == 1 || sign == -1 else {
            throw CommandError(ErrorCode(2_942_506), "The $sort element value must be either 1 or -1")
        }
        return .whole(isDescending: sign < 0)
    }

    private func orderFields(_ document: RawDocument) throws(CommandError) -> ArenaList<ArrayOrderOperator.OrderField> {
        var fields: [ArrayOrderOperator.OrderField] = []
        for element in document {
            guard let sign = element.value.number?.asInt64Exact, sign == 1 || sign == -1, element.key.count > 0 else {
                throw CommandError(
                    ErrorCode(2_942_505), "The $sortArray sort pattern is invalid at '\(element.key.string)'")
            }
            fields.append(.init(steps: arena.list(element.key.components), isDescending: sign < 0))
        }
        guard !fields.isEmpty else {
            throw CommandError(ErrorCode(2_942_505), "The $sortArray sort pattern must not be empty")
        }
        return arena.list(fields)
    }
}
