internal import BSON
internal import CommandModel

/// `$convert`, and its short forms `$toBool $toDate $toDecimal $toDouble $toInt $toLong $toObjectId $toString $toUUID`.
enum ConversionOperator {
    /// A short form: the operand is the value.
    case to(ConversionTarget)
    /// The operands are those of ``Operand``, in its order. The target is nil unless it is a constant.
    case convert(ConversionTarget?)

    /// Operands of `$convert`.
    enum Operand: Int, CaseIterable {
        case input, to, onError, onNull, format, byteOrder, base

        var name: StaticString {
            switch self {
            case .input: "input"
            case .to: "to"
            case .onError: "onError"
            case .onNull: "onNull"
            case .format: "format"
            case .byteOrder: "byteOrder"
            case .base: "base"
            }
        }
    }

    static let rules: [OperatorRule] = [
        .special("$convert", .convert), short("$toBool", .bool), short("$toDate", .date),
        short("$toDecimal", .decimal128), short("$toDouble", .double), short("$toInt", .int32),
        short("$toLong", .int64), short("$toObjectId", .objectID), short("$toString", .string),
        .special("$toUUID", .convertTo(ConversionTarget(type: .binary, subtype: ConversionTarget.uuid))),
    ]

    private static func short(_ name: StaticString, _ type: BSONType) -> OperatorRule {
        .special(name, .convertTo(ConversionTarget(type: type)))
    }

    func evaluate(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        switch self {
        case .to(let target):
            guard let input = try operands[0].evaluate(run), !(input as RawValue?).isNullish else {
                return .nothing(.null)
            }
            let format: BinaryFormat = target.type == .binary ? .uuid : .auto
            return try Conversion(target: target, format: format, run: run).convert(input)
        case .convert(let target): return try Self.convert(operands, target, run)
        }
    }

    private static func convert(
        _ operands: ArenaList<Expression>, _ constant: ConversionTarget?, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        func value(_ operand: Operand) throws(CommandError) -> RawValue? {
            try operands[operand.rawValue].evaluate(run)
        }
        guard let input = try value(.input), !(input as RawValue?).isNullish else {
            let onNull = operands[Operand.onNull.rawValue]
            return onNull.isGiven ? try onNull.evaluate(run) : .nothing(.null)
        }
        var known = constant
        if known == nil { known = try ConversionTarget(try value(.to)) }
        guard let target = known else { return .nothing(.null) }
        var conversion = Conversion(target: target, run: run)
        conversion.format = try BinaryFormat(try value(.format))
        conversion.isBigEndian = try Conversion.isBigEndian(try value(.byteOrder))
        conversion.base = try Conversion.base(try value(.base))
        do throws(CommandError) {
            return try conversion.convert(input)
        } catch {
            let onError = operands[Operand.onError.rawValue]
            guard onError.isGiven else { throw error }
            return try onError.evaluate(run)
        }
    }
}

extension ExpressionCompiler {
    /// `$toInt: value`, or `[value]`.
    mutating func convert(
        _ element: RawElement, to target: ConversionTarget, _ depth: Int
    ) throws(CommandError) -> Expression {
        let values = element.value.array?.map(\.value) ?? [element.value]
        guard values.count == 1 else {
            throw CommandError(
                ErrorCode(50723), "\(element.key.string) requires a single argument, got \(values.count)")
        }
        return .call(.conversion(.to(target)), try list(values, depth))
    }

    /// `$convert: {input:, to:, onError:, onNull:, format:, byteOrder:, base:}`.
    mutating func convert(_ element: RawElement, _ depth: Int) throws(CommandError) -> Expression {
        guard let document = element.value.document else {
            throw CommandError(
                .failedToParse, "$convert expects an object of named arguments but found: \(element.value.type.alias)")
        }
        var operands = [Expression](repeating: .notGiven, count: ConversionOperator.Operand.allCases.count)
        for part in document {
            guard let operand = ConversionOperator.Operand.allCases.first(where: { part.key == $0.name }) else {
                throw CommandError(.failedToParse, "$convert found an unknown argument: \(part.key.string)")
            }
            operands[operand.rawValue] = try compile(part.value, depth: depth + 1)
        }
        for required in [ConversionOperator.Operand.input, .to] where !operands[required.rawValue].isGiven {
            throw CommandError(.failedToParse, "Missing '\(required.name)' parameter to $convert")
        }
        for fallback in [ConversionOperator.Operand.onError, .onNull] { try checkConstant(operands[fallback.rawValue]) }
        return .call(.conversion(.convert(constantTarget(operands))), arena.list(operands))
    }

    private func constantTarget(_ operands: [Expression]) -> ConversionTarget? {
        guard case .constant(let value) = operands[ConversionOperator.Operand.to.rawValue] else { return nil }
        // What is no target is found out again at run time, and refused there.
        do throws(CommandError) { return try ConversionTarget(value) } catch { return nil }
    }

    /// Refuses an operator of constants that fails, though it may never be needed: MongoDB computes it beforehand.
    func checkConstant(_ operand: Expression) throws(CommandError) {
        guard case .call(_, let operands) = operand, !operands.isEmpty, operands.nodes.allSatisfy(\.isConstant) else {
            return
        }
        _ = try operand.evaluate(Evaluator(settings))
    }
}
