internal import BSON
internal import CommandModel

/// Turns an expression, whose bytes lie in the arena already, into nodes.
struct ExpressionCompiler {
    /// As deep as expressions may nest, which bounds every recursion over them.
    static let depthMax = 200

    let arena: ProgramArena
    var scope: VariableScope
    /// Computes operators of constants while compiling.
    private let folding: Evaluator
    private let settingsOfCommand: EvaluatorSettings
    let textScore: TextScore.Use

    init(arena: ProgramArena, environment: ExpressionEnvironment) {
        self.arena = arena
        settingsOfCommand = EvaluatorSettings(
            order: ValueOrder(environment.collator), patience: environment.patience,
            turnsMax: environment.turnsMax)
        folding = Evaluator(settingsOfCommand)
        scope = VariableScope(arena: arena, environment: environment)
        textScore = environment.textScore
    }

    /// Of an ``Evaluator`` of what was compiled.
    var settings: EvaluatorSettings {
        var settings = settingsOfCommand
        settings.slotCount = scope.slotCount
        return settings
    }

    var order: ValueOrder { settingsOfCommand.order }

    mutating func compile(_ value: RawValue, depth: Int = 0) throws(CommandError) -> Expression {
        guard depth <= Self.depthMax else {
            throw CommandError(.badValue, "an expression nests deeper than \(Self.depthMax) levels")
        }
        switch value.type {
        case .string: return try compileString(value)
        case .document: return try compileDocument(value, depth)
        case .array: return try compileArray(value, depth)
        default: return .constant(value)
        }
    }

    private mutating func compileArray(_ value: RawValue, _ depth: Int) throws(CommandError) -> Expression {
        var elements: [Expression] = []
        for element in value.container ?? .none { elements.append(try compile(element.value, depth: depth + 1)) }
        let array = Expression.array(arena.list(elements))
        return elements.allSatisfy(\.isConstant) ? fold(array) : array
    }

    private mutating func compileDocument(_ value: RawValue, _ depth: Int) throws(CommandError) -> Expression {
        let document = value.container ?? .none
        guard let first = document.firstElement else { return .constant(value) }
        if first.key.startsWithDollar {
            guard document.elementCount == 1 else {
                throw CommandError(
                    ErrorCode(15983),
                    "an object representing an expression must have exactly one field: \(document.errorText)")
            }
            return try compileOperator(first, depth)
        }
        return try compileObject(document, depth)
    }

    private mutating func compileObject(_ document: RawDocument, _ depth: Int) throws(CommandError) -> Expression {
        var fields: [ObjectField] = []
        for element in document {
            try Self.checkFieldName(element.key)
            guard !fields.contains(where: { $0.key == element.key }) else {
                throw CommandError(ErrorCode(16406), "duplicate field name specified in object literal")
            }
            fields.append(ObjectField(key: element.key, value: try compile(element.value, depth: depth + 1)))
        }
        let object = Expression.object(arena.list(fields))
        return fields.allSatisfy(\.value.isConstant) ? fold(object) : object
    }

    /// Of a literal document in an expression: a plain name.
    static func checkFieldName(_ key: RawKey) throws(CommandError) {
        guard key.count > 0 else {
            throw CommandError(ErrorCode(15998), "FieldPath field names may not be empty strings.")
        }
        guard !key.startsWithDollar else {
            throw CommandError(
                ErrorCode(16410), "FieldPath field names may not start with '$'. Consider using $getField or $setField."
            )
        }
        guard !key.containsDot else {
            throw CommandError(
                ErrorCode(16412), "FieldPath field names may not contain '.'. Consider using $getField or $setField.")
        }
    }

    // MARK: operators

    private mutating func compileOperator(_ element: RawElement, _ depth: Int) throws(CommandError) -> Expression {
        let name = element.key.string
        guard let rule = OperatorRule.all[name] else {
            throw CommandError(ErrorCode(168, "InvalidPipelineOperator"), "Unrecognized expression '\(name)'")
        }
        let expression: Expression
        switch rule.form {
        case .list(let operation, let count):
            expression = .call(operation, try operands(of: element, count, depth))
        case .named(let operation, let names):
            expression = .call(operation, try operands(of: element, names, depth))
        case .special(let form): expression = try compileSpecial(form, element, depth)
        }
        return rule.isFoldable ? foldCall(expression) : expression
    }

    private mutating func operands(
        of element: RawElement, _ count: ClosedRange<Int>, _ depth: Int
    ) throws(CommandError) -> ArenaList<Expression> {
        var operands: [Expression] = []
        if let array = element.value.array {
            for operand in array { operands.append(try compile(operand.value, depth: depth + 1)) }
        } else {
            operands.append(try compile(element.value, depth: depth + 1))
        }
        guard count.contains(operands.count) else { throw Self.wrongCount(element.key, operands.count, count) }
        return arena.list(operands)
    }

    private static func wrongCount(_ name: RawKey, _ given: Int, _ allowed: ClosedRange<Int>) -> CommandError {
        if allowed.lowerBound == allowed.upperBound {
            let count = allowed.lowerBound
            return CommandError(
                ErrorCode(16020),
                "Expression \(name.string) takes exactly \(count) arguments. \(given) were passed in.")
        }
        return CommandError(
            ErrorCode(28667),
            "Expression \(name.string) takes at least \(allowed.lowerBound) arguments, and at most "
                + "\(allowed.upperBound), but \(given) were passed in.")
    }

    mutating func operands(
        of element: RawElement, _ names: NamedOperands, _ depth: Int
    ) throws(CommandError) -> ArenaList<Expression> {
        guard let document = element.value.document else {
            throw CommandError(names.notDocument, "\(element.key.string) only supports an object as its argument")
        }
        let all = names.required + names.optional
        var operands = [Expression](repeating: .notGiven, count: all.count)
        for operand in document {
            guard let index = all.firstIndex(where: { operand.key == $0 }) else {
                throw CommandError(
                    names.unknown, "Unrecognized argument to \(element.key.string): \(operand.key.string)")
            }
            operands[index] = try compile(operand.value, depth: depth + 1)
        }
        for (index, name) in names.required.enumerated() where !operands[index].isGiven {
            throw CommandError(
                names.absent[min(index, names.absent.count - 1)],
                "Missing '\(name)' parameter to \(element.key.string)")
        }
        return arena.list(operands)
    }

    // MARK: constants

    private mutating func foldCall(_ expression: Expression) -> Expression {
        guard case .call(let operation, let operands) = expression else { return expression }
        if case .boolean(let operation) = operation, let decided = operation.decided(by: operands) {
            return Value.bool(decided).withRaw { .constant(arena.copy($0)) }
        }
        return operands.nodes.allSatisfy(\.isConstant) ? fold(expression) : expression
    }

    /// The value of an expression of constants. One that fails stays as it is: it may stand in a branch that is never
    /// taken.
    private func fold(_ expression: Expression) -> Expression {
        folded { run throws(CommandError) in try expression.evaluate(run) } ?? expression
    }

    /// - Returns: nil when `body` failed.
    func folded(_ body: (Evaluator) throws(CommandError) -> RawValue?) -> Expression? {
        folding.begin(.none)
        do throws(CommandError) {
            return try body(folding).map { .constant(arena.copy($0)) } ?? .missing
        } catch { return nil }
    }

    /// What `body` makes of constants, other than a value; nil when it failed.
    func withConstants<R>(_ body: (Evaluator) throws(CommandError) -> R?) -> R? {
        folding.begin(.none)
        do throws(CommandError) { return try body(folding) } catch { return nil }
    }
}

extension RawDocument {
    /// A document without fields.
    static var none: RawDocument { RawDocument(unchecked: UnsafeRawBufferPointer(start: nil, count: 0)) }
}
