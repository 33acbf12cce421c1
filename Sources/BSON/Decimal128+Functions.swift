internal import CDecimal

// Elementary functions, by Intel's library: 34 digits, the last one within one unit.
extension Decimal128 {
    package var squareRoot: Decimal128 { Decimal128(cdecimal_sqrt(low, high)) }
    package var exponential: Decimal128 { Decimal128(cdecimal_exp(low, high)) }
    package var naturalLogarithm: Decimal128 { Decimal128(cdecimal_log(low, high)) }
    package var decimalLogarithm: Decimal128 { Decimal128(cdecimal_log10(low, high)) }

    package func power(_ exponent: Decimal128) -> Decimal128 {
        Decimal128(cdecimal_pow(low, high, exponent.low, exponent.high))
    }

    package var sine: Decimal128 { Decimal128(cdecimal_sin(low, high)) }
    package var cosine: Decimal128 { Decimal128(cdecimal_cos(low, high)) }
    package var tangent: Decimal128 { Decimal128(cdecimal_tan(low, high)) }
    package var arcSine: Decimal128 { Decimal128(cdecimal_asin(low, high)) }
    package var arcCosine: Decimal128 { Decimal128(cdecimal_acos(low, high)) }
    package var arcTangent: Decimal128 { Decimal128(cdecimal_atan(low, high)) }
    package var hyperbolicSine: Decimal128 { Decimal128(cdecimal_sinh(low, high)) }
    package var hyperbolicCosine: Decimal128 { Decimal128(cdecimal_cosh(low, high)) }
    package var hyperbolicTangent: Decimal128 { Decimal128(cdecimal_tanh(low, high)) }
    package var areaSine: Decimal128 { Decimal128(cdecimal_asinh(low, high)) }
    package var areaCosine: Decimal128 { Decimal128(cdecimal_acosh(low, high)) }
    package var areaTangent: Decimal128 { Decimal128(cdecimal_atanh(low, high)) }

    /// The angle of the point (`x`, self).
    package func arcTangent(over x: Decimal128) -> Decimal128 {
        Decimal128(cdecimal_atan2(low, high, x.low, x.high))
    }
}

// Constants of 34 digits.
extension Decimal128 {
    package static let greatest = Decimal128(isNegative: false, coefficient: coefficientMax, exponent: 6111)
    /// Zero with the least exponent: a sum with it has as many digits as there can be.
    package static let leastZero = Decimal128(isNegative: false, coefficient: 0, exponent: -6176)

    package static let one = Decimal128(1 as Int64)

    /// π/180
    package static let radiansPerDegree = Decimal128(
        isNegative: false, coefficient: 1_745_329_251_994_329_576_923_690_768_488_613, exponent: -35)

    /// 180/π
    package static let degreesPerRadian = Decimal128(
        isNegative: false, coefficient: 5_729_577_951_308_232_087_679_815_481_410_517, exponent: -32)
}
