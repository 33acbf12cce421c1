internal import BSON

/// A unit of time, as `$dateAdd`, `$dateDiff` and `$dateTrunc` name it.
enum DateUnit {
    case year, quarter, month, week, day, hour, minute, second, millisecond

    init?(_ name: RawKey) {
        switch name {
        case "year": self = .year
        case "quarter": self = .quarter
        case "month": self = .month
        case "week": self = .week
        case "day": self = .day
        case "hour": self = .hour
        case "minute": self = .minute
        case "second": self = .second
        case "millisecond": self = .millisecond
        default: return nil
        }
    }

    /// What a unit consists of. Months differ in length, and so do the days of a place that puts its clocks forward
    /// and back; units below a day are the same everywhere.
    enum Measure {
        case months(Int64)
        case days(Int64)
        case milliseconds(Int64)
    }

    var measure: Measure {
        switch self {
        case .year: .months(12)
        case .quarter: .months(3)
        case .month: .months(1)
        case .week: .days(7)
        case .day: .days(1)
        case .hour: .milliseconds(3_600_000)
        case .minute: .milliseconds(60_000)
        case .second: .milliseconds(1000)
        case .millisecond: .milliseconds(1)
        }
    }

    /// As many as there are between the earliest and the latest date, and somewhat more.
    var amountMax: Int64 {
        switch measure {
        case .months(let months): 584_554_051 * 12 / months
        case .days(let days): 213_503_982_400 / days
        case .milliseconds(1): .max
        case .milliseconds(let milliseconds): Int64.max / milliseconds * 2
        }
    }
}

// Addition.
extension DateUnit {
    /// Steps on the calendar and the clocks of a place. A day that the month does not have becomes its last one.
    ///
    /// - Parameter amount: at most ``amountMax``, either way.
    /// - Returns: nil beyond what a date can hold.
    func add(_ amount: Int64, to instant: Int64, in zone: TimeZone) -> Int64? {
        // Not by way of the clocks, which may show the same time twice.
        guard amount != 0 else { return instant }
        switch measure {
        case .milliseconds(let unit):
            let (span, overflow) = amount.multipliedReportingOverflow(by: unit)
            let (sum, isBeyond) = instant.addingReportingOverflow(span)
            return overflow || isBeyond ? nil : sum
        case .days(let unit):
            var local = zone.local(instant)
            local.days += amount * unit
            return zone.instant(of: local)
        case .months(let unit):
            var local = zone.local(instant)
            let date = local.date
            let (years, month) = (date.month - 1 + amount * unit).floorDivided(by: 12)
            let year = date.year + years
            let day = min(date.day, CivilDate.daysIn(month: month + 1, of: year))
            local.days = CivilDate(year: year, month: month + 1, day: day).days
            return zone.instant(of: local)
        }
    }
}

// Difference.
extension DateUnit {
    /// How many boundaries of the unit lie between two instants, on the calendar and the clocks of a place; negative if
    /// the second is earlier.
    ///
    /// - Parameter startOfWeek: 1 (Monday) … 7.
    /// - Returns: nil for more milliseconds than there are numbers.
    func difference(from start: Int64, to end: Int64, in zone: TimeZone, startOfWeek: Int64) -> Int64? {
        switch measure {
        case .months(let unit):
            return months(zone.local(end), unit) - months(zone.local(start), unit)
        case .days(let unit):
            let shift = unit == 7 ? 4 - startOfWeek : 0
            let (first, last) = (zone.local(start).days + shift, zone.local(end).days + shift)
            return last.floorDivided(by: unit).quotient - first.floorDivided(by: unit).quotient
        case .milliseconds(1):
            let (difference, overflow) = end.subtractingReportingOverflow(start)
            return overflow ? nil : difference
        case .milliseconds(let unit):
            return units(end, unit, in: zone) - units(start, unit, in: zone)
        }
    }

    private func months(_ local: LocalTime, _ unit: Int64) -> Int64 {
        (local.date.year * 12 + local.date.month - 1).floorDivided(by: unit).quotient
    }

    /// Hours begin when the clocks show a full one, but the one that is left out or comes twice counts as it is.
    private func units(_ instant: Int64, _ unit: Int64, in zone: TimeZone) -> Int64 {
        let offset = zone.offset(at: instant)
        let local = LocalTime(instant, offset: offset)
        let shown = local.days * (LocalTime.dayMilliseconds / unit) + local.milliseconds / unit
        return shown - offset / unit
    }
}

// Truncation.
extension DateUnit {
    enum TruncationError: Error {
        /// A bin of so many units is longer than there is time.
        case binTooLarge
        /// The bin begins before the earliest date.
        case outOfRange
    }

    /// 2000-01-01, at which one of the bins begins; a Saturday.
    private static let referenceDay: Int64 = 10_957
    private static let referenceMonth: Int64 = 2000 * 12

    /// The beginning of the bin that an instant is in. Bins hold `binSize` units each.
    ///
    /// - Parameter startOfWeek: 1 (Monday) … 7.
    func truncate(
        _ instant: Int64, binSize: Int64, in zone: TimeZone, startOfWeek: Int64
    ) throws(TruncationError) -> Int64 {
        let start: LocalTime
        switch measure {
        case .milliseconds(let unit):
            return try truncate(instant, unit: unit, binSize: binSize, in: zone)
        case .days(let unit):
            let bin = try Self.bin(binSize, unit)
            let reference = Self.referenceDay + (unit == 7 ? (startOfWeek + 1) % 7 : 0)
            let passed = (zone.local(instant).days - reference).floorDivided(by: bin).remainder
            start = LocalTime(days: zone.local(instant).days - passed, milliseconds: 0)
        case .months(let unit):
            let bin = try Self.bin(binSize, unit)
            let date = zone.local(instant).date
            let month = date.year * 12 + date.month - 1
            let passed = (month - Self.referenceMonth).floorDivided(by: bin).remainder
            let (year, rest) = (month - passed).floorDivided(by: 12)
            start = LocalTime(days: CivilDate(year: year, month: rest + 1, day: 1).days, milliseconds: 0)
        }
        guard let result = zone.instant(of: start) else { throw .outOfRange }
        return result
    }

    /// As MongoDB has it: a bin of days or longer has less than 10¹¹ units.
    private static func bin(_ binSize: Int64, _ unit: Int64) throws(TruncationError) -> Int64 {
        guard binSize <= 100_000_000_000 else { throw .binTooLarge }
        return binSize * unit
    }

    private func truncate(
        _ instant: Int64, unit: Int64, binSize: Int64, in zone: TimeZone
    ) throws(TruncationError) -> Int64 {
        let (bin, overflow) = binSize.multipliedReportingOverflow(by: unit)
        guard !overflow else { throw .binTooLarge }
        let reference = zone.instant(of: LocalTime(days: Self.referenceDay, milliseconds: 0)) ?? 0
        let (distance, isFar) = instant.subtractingReportingOverflow(reference)
        guard !isFar else { throw .outOfRange }
        let (result, isBeyond) = instant.subtractingReportingOverflow(distance.floorDivided(by: bin).remainder)
        guard !isBeyond else { throw .outOfRange }
        return result
    }
}
