#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// A series of preferred numbers, to which `$bucketAuto` rounds its boundaries.
///
/// Source: ISO 3 (R series), IEC 60063 (E series).
struct Granularity {
    /// The numbers of the decade from 10 or 100 on; nil for the powers of two.
    private let series: [Double]?

    var isBinary: Bool { series == nil }

    init?(_ name: String) {
        switch name {
        case "POWERSOF2": series = nil
        case "1-2-5": series = [10, 20, 50]
        case "R5": series = Self.renard(every: 16)
        case "R10": series = Self.renard(every: 8)
        case "R20": series = Self.renard(every: 4)
        case "R40": series = Self.renard(every: 2)
        case "R80": series = Self.renard(every: 1)
        case "E6": series = Self.resistors(every: 4)
        case "E12": series = Self.resistors(every: 2)
        case "E24": series = Self.resistors(every: 1)
        case "E48": series = Self.fineResistors(48)
        case "E96": series = Self.fineResistors(96)
        case "E192": series = Self.fineResistors(192)
        default: return nil
        }
    }

    private static func renard(every step: Int) -> [Double] {
        let numbers = stride(from: 0, to: r80.count, by: step).map { r80[$0] }
        return step == 16 ? [10, 16, 25, 40, 63] : numbers
    }

    private static let r80: [Double] = [
        10, 10.3, 10.6, 10.9, 11.2, 11.5, 11.8, 12.2, 12.5, 12.8, 13.2, 13.6, 14, 14.5, 15, 15.5, 16, 16.5, 17, 17.5,
        18, 18.5, 19, 19.5, 20, 20.6, 21.2, 21.8, 22.4, 23, 23.6, 24.3, 25, 25.8, 26.5, 27.2, 28, 29, 30, 30.7, 31.5,
        32.5, 33.5, 34.5, 35.5, 36.5, 37.5, 38.7, 40, 41.2, 42.5, 43.7, 45, 46.2, 47.5, 48.7, 50, 51.5, 53, 54.5, 56,
        58, 60, 61.5, 63, 65, 67, 69, 71, 73, 75, 77.5, 80, 82.5, 85, 87.5, 90, 92.5, 95, 97.5,
    ]

    private static func resistors(every step: Int) -> [Double] {
        stride(from: 0, to: e24.count, by: step).map { e24[$0] }
    }

    private static let e24: [Double] = [
        10, 11, 12, 13, 15, 16, 18, 20, 22, 24, 27, 30, 33, 36, 39, 43, 47, 51, 56, 62, 68, 75, 82, 91,
    ]

    /// From E48 on the numbers are those of the geometric series, but for one.
    private static func fineResistors(_ count: Int) -> [Double] {
        (0..<count).map { index in
            let number = (100 * pow(10, Double(index) / Double(count))).rounded()
            return number == 919 ? 920 : number
        }
    }

    /// The least number of the series that is greater; zero and infinity stay.
    func above(_ number: Double) -> Double {
        guard number > 0, number.isFinite else { return number }
        guard let series else {
            let power = exp2(log2(number).rounded(.down))
            return power > number ? power : 2 * power
        }
        var exponent = Self.exponent(of: number, in: series) - 1
        while true {
            for candidate in series where Self.scaled(candidate, exponent) > number {
                return Self.scaled(candidate, exponent)
            }
            exponent += 1
        }
    }

    /// The greatest number of the series that is less.
    func below(_ number: Double) -> Double {
        guard number > 0, number.isFinite else { return number }
        guard let series else {
            let power = exp2(log2(number).rounded(.up))
            return power < number ? power : power / 2
        }
        var exponent = Self.exponent(of: number, in: series) + 1
        while exponent > -400 {
            for candidate in series.reversed() where Self.scaled(candidate, exponent) < number {
                return Self.scaled(candidate, exponent)
            }
            exponent -= 1
        }
        return 0
    }

    /// About which power of ten takes the series to a number.
    private static func exponent(of number: Double, in series: [Double]) -> Int {
        Int((log10(number) - log10(series[0])).rounded(.down))
    }

    private static func scaled(_ number: Double, _ exponent: Int) -> Double {
        exponent < 0 ? number / pow(10, Double(-exponent)) : number * pow(10, Double(exponent))
    }
}
