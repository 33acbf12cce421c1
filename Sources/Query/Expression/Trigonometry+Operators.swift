internal import BSON
internal import CommandModel

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Trigonometry: angles are radians; decimals yield decimals, all others doubles.
enum TrigonometryOperator {
    case sine, cosine, tangent, arcSine, arcCosine, arcTangent, arcTangent2
    case hyperbolicSine, hyperbolicCosine, hyperbolicTangent, areaSine, areaCosine, areaTangent
    case degreesToRadians, radiansToDegrees

    static let rules: [OperatorRule] = [
        .exactly(1, "$sin", .trigonometry(.sine)), .exactly(1, "$cos", .trigonometry(.cosine)),
        .exactly(1, "$tan", .trigonometry(.tangent)), .exactly(1, "$asin", .trigonometry(.arcSine)),
        .exactly(1, "$acos", .trigonometry(.arcCosine)), .exactly(1, "$atan", .trigonometry(.arcTangent)),
        .exactly(2, "$atan2", .trigonometry(.arcTangent2)), .exactly(1, "$sinh", .trigonometry(.hyperbolicSine)),
        .exactly(1, "$cosh", .trigonometry(.hyperbolicCosine)),
        .exactly(1, "$tanh", .trigonometry(.hyperbolicTangent)), .exactly(1, "$asinh", .trigonometry(.areaSine)),
        .exactly(1, "$acosh", .trigonometry(.areaCosine)), .exactly(1, "$atanh", .trigonometry(.areaTangent)),
        .exactly(1, "$degreesToRadians", .trigonometry(.degreesToRadians)),
        .exactly(1, "$radiansToDegrees", .trigonometry(.radiansToDegrees)),
    ]

    func evaluate(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        if case .arcTangent2 = self { return try Self.arcTangent2(operands, run) }
        guard let value = try operands[0].evaluate(run), !value.isNullish else { return .nothing(.null) }
        guard let number = value.number else {
            throw CommandError(ErrorCode(28765), "\(name) only supports numeric types, not \(value.type.alias)")
        }
        guard number.isNaN || isDefined(number) else {
            throw CommandError(ErrorCode(50989), "cannot apply \(name) to \(number.asDouble), \(domain)")
        }
        if case .decimal(let value) = number { return try run.scratch.decimal(function(value)) }
        return try run.scratch.double(function(number.asDouble))
    }

    private static func arcTangent2(
        _ operands: ArenaList<Expression>, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        let (first, second) = (try operands[0].evaluate(run), try operands[1].evaluate(run))
        guard let first, let second, !first.isNullish, !second.isNullish else { return .nothing(.null) }
        guard let y = first.number else {
            throw CommandError(ErrorCode(51044), "$atan2 only supports numeric types, not \(first.type.alias)")
        }
        guard let x = second.number else {
            throw CommandError(ErrorCode(51045), "$atan2 only supports numeric types, not \(second.type.alias)")
        }
        if y.isDecimal || x.isDecimal { return try run.scratch.decimal(y.asDecimal.arcTangent(over: x.asDecimal)) }
        return try run.scratch.double(atan2(y.asDouble, x.asDouble))
    }

    private func isDefined(_ number: Number) -> Bool {
        switch self {
        case .sine, .cosine, .tangent: number.isFinite
        case .arcSine, .arcCosine, .areaTangent:
            number.compare(to: .int32(-1)) >= 0 && number.compare(to: .int32(1)) <= 0
        case .areaCosine: number.compare(to: .int32(1)) >= 0
        default: true
        }
    }

    private var domain: StaticString {
        switch self {
        case .arcSine, .arcCosine, .areaTangent: "value must be in [-1,1]"
        case .areaCosine: "value must be in [1,inf]"
        default: "value must be in (-inf,inf)"
        }
    }

    private var name: StaticString {
        switch self {
        case .sine: "$sin"
        case .cosine: "$cos"
        case .tangent: "$tan"
        case .arcSine: "$asin"
        case .arcCosine: "$acos"
        case .arcTangent: "$atan"
        case .arcTangent2: "$atan2"
        case .hyperbolicSine: "$sinh"
        case .hyperbolicCosine: "$cosh"
        case .hyperbolicTangent: "$tanh"
        case .areaSine: "$asinh"
        case .areaCosine: "$acosh"
        case .areaTangent: "$atanh"
        case .degreesToRadians: "$degreesToRadians"
        case .radiansToDegrees: "$radiansToDegrees"
        }
    }

    private func function(_ value: Double) -> Double {
        switch self {
        case .sine: sin(value)
        case .cosine: cos(value)
        case .tangent: tan(value)
        case .arcSine: asin(value)
        case .arcCosine: acos(value)
        case .arcTangent, .arcTangent2: atan(value)
        case .hyperbolicSine: sinh(value)
        case .hyperbolicCosine: cosh(value)
        case .hyperbolicTangent: tanh(value)
        case .areaSine: asinh(value)
        case .areaCosine: acosh(value)
        case .areaTangent: atanh(value)
        case .degreesToRadians: value * (Double.pi / 180)
        case .radiansToDegrees: value * (180 / Double.pi)
        }
    }

    private func function(_ value: Decimal128) -> Decimal128 {
        switch self {
        case .sine: value.sine
        case .cosine: value.cosine
        case .tangent: value.tangent
        case .arcSine: value.arcSine
        case .arcCosine: value.arcCosine
        case .arcTangent, .arcTangent2: value.arcTangent
        case .hyperbolicSine: value.hyperbolicSine
        case .hyperbolicCosine: value.hyperbolicCosine
        case .hyperbolicTangent: value.hyperbolicTangent
        case .areaSine: value.areaSine
        case .areaCosine: value.areaCosine
        case .areaTangent: value.areaTangent
        case .degreesToRadians: value.multiplied(by: .radiansPerDegree)
        case .radiansToDegrees: value.multiplied(by: .degreesPerRadian)
        }
    }
}
