internal import BSON
internal import CommandModel

/// `$zip`. The operands are the inputs, then as many defaults or none.
struct ArrayZipOperator {
    let inputCount: Int
    let usesLongest: Bool

    static let rules: [OperatorRule] = [.special("$zip", .zip)]

    func evaluate(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        var inputs: [RawDocument] = []
        inputs.reserveCapacity(inputCount)
        for index in 0..<inputCount {
            let input = try operands[index].evaluate(run)
            if input.isNullish { return .nothing(.null) }
            guard let array = input?.array else {
                throw CommandError(
                    ErrorCode(34468),
                    "$zip found a non-array expression in input, of type: \(input.typeName)")
            }
            inputs.append(array)
        }
        let defaults = run.stack.count
        for index in inputCount..<operands.count {
            try run.push(try operands[index].evaluate(run) ?? .nothing(.null))
        }
        let rows = try rows(inputs, defaults, operands.count > inputCount, run)
        run.stack.removeAll(from: defaults)
        return rows
    }

    /// - Parameter defaults: where on the stack they lie, if there are any.
    private func rows(
        _ inputs: [RawDocument], _ defaults: Int, _ hasDefaults: Bool, _ run: Evaluator
    ) throws(CommandError) -> RawValue {
        let counts = inputs.map(\.elementCount)
        let length = (usesLongest ? counts.max() : counts.min()) ?? 0
        var iterators = inputs.map { $0.makeIterator() }
        let base = run.stack.count
        for _ in 0..<length {
            let row = run.stack.count
            for index in iterators.indices {
                let fallback = hasDefaults ? run.stack[defaults + index].value : .nothing(.null)
                try run.push(iterators[index].next()?.value ?? fallback)
            }
            try run.push(try run.popArray(from: row))
        }
        return try run.popArray(from: base)
    }
}

extension ExpressionCompiler {
    /// `$zip: {inputs: […], useLongestLength:, defaults: […]}`; the lists must be written out.
    mutating func arrayZip(_ element: RawElement, _ depth: Int) throws(CommandError) -> Expression {
        guard let document = element.value.document else {
            throw CommandError(
                ErrorCode(34460), "$zip only supports an object as an argument, found \(element.value.type.alias)")
        }
        var (inputs, defaults): ([RawValue], [RawValue]) = ([], [])
        var usesLongest = false
        for part in document {
            switch part.key {
            case "inputs": inputs = try zipList(part, ErrorCode(34461))
            case "defaults": defaults = try zipList(part, ErrorCode(34462))
            case "useLongestLength":
                guard let flag = part.value.bool else {
                    throw CommandError(
                        ErrorCode(34463), "useLongestLength must be a bool, found \(part.value.type.alias)")
                }
                usesLongest = flag
            default: throw CommandError(ErrorCode(34464), "$zip found an unknown argument: \(part.key.string)")
            }
        }
        guard !inputs.isEmpty else { throw CommandError(ErrorCode(34465), "$zip requires at least one input array") }
        guard usesLongest || defaults.isEmpty else {
            throw CommandError(ErrorCode(34466), "cannot specify defaults unless useLongestLength is true")
        }
        guard defaults.isEmpty || defaults.count == inputs.count else {
            throw CommandError(ErrorCode(34467), "defaults and inputs must have the same length")
        }
        let operation = ArrayZipOperator(inputCount: inputs.count, usesLongest: usesLongest)
        return .call(.arrayZip(operation), try list(inputs + defaults, depth))
    }

    private func zipList(_ element: RawElement, _ code: ErrorCode) throws(CommandError) -> [RawValue] {
        guard let array = element.value.array else {
            throw CommandError(
                code, "\(element.key.string) must be an array of expressions, found \(element.value.type.alias)")
        }
        return array.map(\.value)
    }
}
