internal import BSON
internal import CommandModel

/// A compiled aggregation expression: what value a document yields.
///
/// A trivial node in a ``ProgramArena``, like those of filters, so that evaluating touches no reference count. The
/// operators come in families, one file each; a family is an enumeration of its operators, a table of their rules and
/// one `evaluate`.
///
/// Source: https://www.mongodb.com/docs/manual/reference/operator/aggregation/
enum Expression {
    case constant(RawValue)
    /// Nothing: `$$REMOVE`, or the constant path into a value that does not have it.
    case missing
    /// In place of an optional argument that was not given.
    case notGiven
    case path(ValuePath)
    case object(ArenaList<ObjectField>)
    case array(ArenaList<Expression>)
    case call(Operation, ArenaList<Expression>)

    var isConstant: Bool {
        switch self {
        case .constant, .missing, .notGiven: true
        default: false
        }
    }

    var isGiven: Bool { if case .notGiven = self { false } else { true } }
}

/// `$a.b` or `$$variable.a.b`.
struct ValuePath {
    /// The variable where the path begins; ``Evaluator/rootSlot`` for the document.
    let slot: Int
    let steps: ArenaList<RawKey>
}

struct ObjectField {
    let key: RawKey
    let value: Expression
}

/// An operator, by family.
//
// Safety: what points into an arena is immutable, and kept alive by the program; operations in the tables of rules
// point to nothing.
enum Operation: @unchecked Sendable {
    case arithmetic(ArithmeticOperator)
    case trigonometry(TrigonometryOperator)
    case bitwise(BitwiseOperator)
    case accumulation(AccumulationOperator)
    case comparison(ComparisonOperator)
    case boolean(BooleanOperator)
    case conditional(ConditionalOperator)
    case variable(VariableOperator)
    case array(ArrayOperator)
    case arrayOrder(ArrayOrderOperator)
    case arrayZip(ArrayZipOperator)
    case loop(LoopOperator)
    case set(SetOperator)
    case object(ObjectOperator)
    case type(TypeOperator)
    case conversion(ConversionOperator)
    case date(DateOperator)
    case timestamp(TimestampOperator)
    case string(StringOperator)
    case regex(RegexOperator)
}

extension Expression {
    /// The value for the evaluator's document; nil where there is none.
    ///
    /// The value may lie in the document, in the program or in the evaluator's scratch memory: it must be used or
    /// copied before the evaluator turns to the next document.
    ///
    /// - Throws: what the operators refuse, with MongoDB's codes.
    func evaluate(_ run: Evaluator) throws(CommandError) -> RawValue? {
        switch self {
        case .constant(let value): value
        case .missing, .notGiven: nil
        case .path(let path): try path.evaluate(run)
        case .object(let fields): try Self.object(fields, run)
        case .array(let elements): try Self.array(elements, run)
        case .call(let operation, let operands): try operation.evaluate(spending: operands, run)
        }
    }

    private static func object(_ fields: ArenaList<ObjectField>, _ run: Evaluator) throws(CommandError) -> RawValue {
        let base = run.stack.count
        for index in 0..<fields.count {
            let field = fields[index]
            guard let value = try field.value.evaluate(run) else { continue }
            try run.stack.push(RawElement(key: field.key, value: value))
        }
        return try run.popDocument(from: base)
    }

    private static func array(_ elements: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue {
        let base = run.stack.count
        for index in 0..<elements.count {
            try run.push(try elements[index].evaluate(run) ?? .nothing(.null))
        }
        return try run.popArray(from: base)
    }
}

extension Operation {
    @inline(__always)
    fileprivate func evaluate(
        spending operands: ArenaList<Expression>, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        try run.spend()
        return try evaluate(operands, run)
    }

    func evaluate(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        switch self {
        case .arithmetic(let operation): try operation.evaluate(operands, run)
        case .trigonometry(let operation): try operation.evaluate(operands, run)
        case .bitwise(let operation): try operation.evaluate(operands, run)
        case .accumulation(let operation): try operation.evaluate(operands, run)
        case .comparison(let operation): try operation.evaluate(operands, run)
        case .boolean(let operation): try operation.evaluate(operands, run)
        case .conditional(let operation): try operation.evaluate(operands, run)
        case .variable(let operation): try operation.evaluate(operands, run)
        case .array(let operation): try operation.evaluate(operands, run)
        case .arrayOrder(let operation): try operation.evaluate(operands, run)
        case .arrayZip(let operation): try operation.evaluate(operands, run)
        case .loop(let operation): try operation.evaluate(operands, run)
        case .set(let operation): try operation.evaluate(operands, run)
        case .object(let operation): try operation.evaluate(operands, run)
        case .type(let operation): try operation.evaluate(operands, run)
        case .conversion(let operation): try operation.evaluate(operands, run)
        case .date(let operation): try operation.evaluate(operands, run)
        case .timestamp(let operation): try operation.evaluate(operands, run)
        case .string(let operation): try operation.evaluate(operands, run)
        case .regex(let operation): try operation.evaluate(operands, run)
        }
    }
}

extension ValuePath {
    func evaluate(_ run: Evaluator) throws(CommandError) -> RawValue? {
        guard let value = run[variable: slot] else { return nil }
        if steps.count > 0 { try run.spend(bytes: value.count) }
        return try Self.walk(value, steps, 0, run)
    }

    /// The recursion is as deep as the path is long.
    static func walk(
        _ value: RawValue, _ steps: ArenaList<RawKey>, _ depth: Int, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        var value = value
        for index in depth..<steps.count {
            if let document = value.document {
                guard let next = document[steps[index]] else { return nil }
                value = next
            } else if let array = value.array {
                return try elements(of: array, steps, index, run)
            } else {
                return nil
            }
        }
        return value
    }

    /// A path into an array leads to the array of what it leads to in the documents there. Unlike in a filter a number
    /// is a field name, never an index; and an array directly in an array is passed over.
    private static func elements(
        of array: RawDocument, _ steps: ArenaList<RawKey>, _ depth: Int, _ run: Evaluator
    ) throws(CommandError) -> RawValue {
        let base = run.stack.count
        for element in array {
            try run.spend()
            guard element.value.type == .document else { continue }
            guard let value = try walk(element.value, steps, depth, run) else { continue }
            try run.push(value)
        }
        return try run.popArray(from: base)
    }
}
