internal import BSON
internal import CommandModel

// Operators with a syntax of their own.
extension ExpressionCompiler {
    mutating func compileSpecial(
        _ form: OperatorRule.SpecialForm, _ element: RawElement, _ depth: Int
    ) throws(CommandError) -> Expression {
        switch form {
        case .literal: literal(element)
        case .condition: try condition(element, depth)
        case .ifNull: try ifNull(element, depth)
        case .choice: try choice(element, depth)
        case .binding: try binding(element, depth)
        case .random: try random(element)
        case .sigmoid: try sigmoid(element, depth)
        case .percentiles(let operation): try percentiles(operation, element, depth)
        case .map: try map(element, depth)
        case .filter: try filter(element, depth)
        case .reduce: try reduce(element, depth)
        case .sortArray: try sortArray(element, depth)
        case .zip: try arrayZip(element, depth)
        case .setEquals: try setEquals(element, depth)
        case .getField: try getField(element, depth)
        case .setField: try setField(element, depth, isUnset: false)
        case .unsetField: try setField(element, depth, isUnset: true)
        case .metadata: try metadata(element)
        case .convert: try convert(element, depth)
        case .convertTo(let target): try convert(element, to: target, depth)
        case .constantsLast(let operation): try constantsLast(operation, element, depth)
        case .refused(let reason): throw CommandError(.commandNotSupported, "\(element.key.string): \(reason)")
        case .datePart(let part): try datePart(part, element, depth)
        case .dateFromParts: try dateFromParts(element, depth)
        case .regex(let operation): try regex(operation, element, depth)
        }
    }

    /// `$literal`, and `$const` of old.
    private func literal(_ element: RawElement) -> Expression { .constant(element.value) }

    /// `$cond: [if, then, else]` or `{if:, then:, else:}`.
    private mutating func condition(_ element: RawElement, _ depth: Int) throws(CommandError) -> Expression {
        guard let document = element.value.document else {
            let operands = element.value.array?.map(\.value) ?? [element.value]
            guard operands.count == 3 else {
                throw CommandError(
                    ErrorCode(16020),
                    "Expression $cond takes exactly 3 arguments. \(operands.count) were passed in.")
            }
            return .call(.conditional(.condition), try list(operands, depth))
        }
        var parts: [Expression] = [.notGiven, .notGiven, .notGiven]
        for part in document {
            switch part.key {
            case "if": parts[0] = try compile(part.value, depth: depth + 1)
            case "then": parts[1] = try compile(part.value, depth: depth + 1)
            case "else": parts[2] = try compile(part.value, depth: depth + 1)
            default:
                throw CommandError(ErrorCode(17083), "Unrecognized parameter to $cond: \(part.key.string)")
            }
        }
        for (index, name) in ["if", "then", "else"].enumerated() where !parts[index].isGiven {
            throw CommandError(ErrorCode(17080 + Int32(index)), "Missing '\(name)' parameter to $cond")
        }
        return .call(.conditional(.condition), arena.list(parts))
    }

    /// `$switch: {branches: [{case:, then:}, …], default:}`. The operands are the cases and their values in turn, and
    /// the default at the end.
    private mutating func choice(_ element: RawElement, _ depth: Int) throws(CommandError) -> Expression {
        guard let document = element.value.document else {
            throw CommandError(
                ErrorCode(40060), "$switch requires an object as an argument, found: \(element.value.type.alias)")
        }
        var operands: [Expression] = []
        var fallback = Expression.notGiven
        for part in document {
            switch part.key {
            case "branches":
                guard let branches = part.value.array else {
                    throw CommandError(
                        ErrorCode(40061), "$switch expected an array for 'branches', found: \(part.value.type.alias)")
                }
                for branch in branches { operands += try self.branch(branch.value, depth + 1) }
            case "default":
                fallback = try compile(part.value, depth: depth + 1)
                try checkConstant(fallback)
            default:
                throw CommandError(ErrorCode(40067), "$switch found an unknown argument: \(part.key.string)")
            }
        }
        guard !operands.isEmpty else {
            throw CommandError(ErrorCode(40068), "$switch requires at least one branch.")
        }
        return .call(.conditional(.choice), arena.list(operands + [fallback]))
    }

    private mutating func branch(_ value: RawValue, _ depth: Int) throws(CommandError) -> [Expression] {
        guard let document = value.document else {
            throw CommandError(
                ErrorCode(40062), "$switch expected each branch to be an object, found: \(value.type.alias)")
        }
        var parts: [Expression] = [.notGiven, .notGiven]
        for part in document {
            switch part.key {
            case "case": parts[0] = try compile(part.value, depth: depth + 1)
            case "then": parts[1] = try compile(part.value, depth: depth + 1)
            default:
                throw CommandError(
                    ErrorCode(40063), "$switch found an unknown argument to a branch: \(part.key.string)")
            }
        }
        guard parts[0].isGiven else {
            throw CommandError(ErrorCode(40064), "$switch requires each branch have a 'case' expression")
        }
        guard parts[1].isGiven else {
            throw CommandError(ErrorCode(40065), "$switch requires each branch have a 'then' expression.")
        }
        return parts
    }

    /// `$let: {vars: {name: value, …}, in:}`. The operands are the values, which do not see each other, and the body.
    private mutating func binding(_ element: RawElement, _ depth: Int) throws(CommandError) -> Expression {
        guard let document = element.value.document else {
            throw CommandError(ErrorCode(16874), "$let only supports an object as its argument")
        }
        var (variables, body): (RawValue?, RawValue?) = (nil, nil)
        for part in document {
            switch part.key {
            case "vars": variables = part.value
            case "in": body = part.value
            default: throw CommandError(ErrorCode(16875), "Unrecognized parameter to $let: \(part.key.string)")
            }
        }
        guard let variables else { throw CommandError(ErrorCode(16876), "Missing 'vars' parameter to $let") }
        guard let body else { throw CommandError(ErrorCode(16877), "Missing 'in' parameter to $let") }
        guard let fields = variables.container else {
            throw CommandError(ErrorCode(10065), "invalid parameter: expected an object (vars)")
        }
        var operands: [Expression] = []
        for field in fields { operands.append(try compile(field.value, depth: depth + 1)) }
        var names: [String] = []
        for field in fields { names.append(try VariableScope.checkedName(field.key, mayBeCurrent: true)) }
        let (firstSlot, inner) = try binding(names) { compiler throws(CommandError) in
            try compiler.compile(body, depth: depth + 1)
        }
        return .call(.variable(.bind(firstSlot: firstSlot)), arena.list(operands + [inner]))
    }

    /// Compiles what sees variables of these names.
    ///
    /// - Returns: the first one's slot, in which an evaluation puts its value; the others follow it.
    mutating func binding(
        _ names: [String], _ body: (inout ExpressionCompiler) throws(CommandError) -> Expression
    ) throws(CommandError) -> (firstSlot: Int, body: Expression) {
        let mark = scope.mark
        let firstSlot = scope.bind(names)
        defer { scope.unbind(to: mark) }
        return (firstSlot, try body(&self))
    }

    mutating func list(_ values: [RawValue], _ depth: Int) throws(CommandError) -> ArenaList<Expression> {
        var operands: [Expression] = []
        for value in values { operands.append(try compile(value, depth: depth + 1)) }
        return arena.list(operands)
    }
}
