internal import BSON
internal import CommandModel

/// How an operator is written, and what it does: one line in its family's table.
struct OperatorRule: Sendable {
    /// With its dollar.
    let name: StaticString
    let form: Form
    /// Whether an operator of constants may be computed while compiling: not if it yields something else each time, and
    /// not if it binds variables, which have no place to be in then.
    let isFoldable: Bool

    enum Form: Sendable {
        /// Operands in an array, or a single one without it, as many as the range says.
        case list(Operation, ClosedRange<Int>)
        /// Operands by name in a document. They reach the operator in the order of the table; one that is not written
        /// is ``Expression/notGiven``.
        case named(Operation, NamedOperands)
        /// Read by a function of its own, as what binds variables.
        case special(SpecialForm)
    }

    /// What has an odd syntax; see `ExpressionCompiler+Special.swift`.
    enum SpecialForm: Sendable {
        case literal, condition, ifNull, choice, binding
        case random, sigmoid
        case percentiles(AccumulatorOperator)
        case map, filter, reduce, sortArray, zip, setEquals, getField, setField, unsetField, metadata
        case convert, convertTo(ConversionTarget)
        case constantsLast(Operation), refused(StaticString)
        case datePart(DatePart), dateFromParts, regex(RegexOperator)
    }

    init(_ name: StaticString, _ form: Form, isFoldable: Bool = true) {
        self.name = name
        self.form = form
        self.isFoldable = isFoldable
    }

    static func list(_ name: StaticString, _ operation: Operation, _ count: ClosedRange<Int>) -> OperatorRule {
        OperatorRule(name, .list(operation, count))
    }

    static func exactly(_ count: Int, _ name: StaticString, _ operation: Operation) -> OperatorRule {
        OperatorRule(name, .list(operation, count...count))
    }

    /// Any number of operands, none included.
    static func variadic(_ name: StaticString, _ operation: Operation) -> OperatorRule {
        OperatorRule(name, .list(operation, 0...Int.max))
    }

    static func named(_ name: StaticString, _ operation: Operation, _ operands: NamedOperands) -> OperatorRule {
        OperatorRule(name, .named(operation, operands))
    }

    static func special(_ name: StaticString, _ form: SpecialForm, isFoldable: Bool = true) -> OperatorRule {
        OperatorRule(name, .special(form), isFoldable: isFoldable)
    }
}

/// The names of operands, and the codes by which a wrong use is refused.
struct NamedOperands: Sendable {
    let required: [StaticString]
    let optional: [StaticString]
    /// The operand is no document.
    let notDocument: ErrorCode
    /// A name that the operator does not know.
    let unknown: ErrorCode
    /// A required name is not there: a code for each, the last one for all that follow.
    let absent: [ErrorCode]

    init(
        required: [StaticString], optional: [StaticString], notDocument: ErrorCode, unknown: ErrorCode,
        absent: [ErrorCode]
    ) {
        (self.required, self.optional) = (required, optional)
        (self.notDocument, self.unknown, self.absent) = (notDocument, unknown, absent)
    }

    init(
        required: [StaticString], optional: [StaticString], notDocument: ErrorCode, unknown: ErrorCode,
        absent: ErrorCode
    ) {
        self.init(
            required: required, optional: optional, notDocument: notDocument, unknown: unknown, absent: [absent])
    }
}

extension OperatorRule {
    /// All operators, by name.
    static let all: [String: OperatorRule] = {
        let families: [[OperatorRule]] = [
            ArithmeticOperator.rules, TrigonometryOperator.rules, BitwiseOperator.rules, AccumulationOperator.rules,
            ComparisonOperator.rules, BooleanOperator.rules, ConditionalOperator.rules,
            VariableOperator.rules, ArrayOperator.rules, ArrayOrderOperator.rules,
            ArrayZipOperator.rules, LoopOperator.rules, SetOperator.rules, ObjectOperator.rules, TypeOperator.rules,
            ConversionOperator.rules, OperatorRule.refused,
            DateOperator.rules, TimestampOperator.rules, StringOperator.rules, RegexOperator.rules,
        ]
        return Dictionary(families.joined().map { ("\($0.name)", $0) }) { first, _ in first }
    }()
}
