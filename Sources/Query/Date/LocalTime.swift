internal import BSON

/// A day and a time of day on the clocks of some place.
struct LocalTime {
    static let dayMilliseconds: Int64 = 86_400_000

    /// Since 1970-01-01.
    var days: Int64
    /// Within the day, 0 … 86,399,999.
    var milliseconds: Int64

    /// Carries what exceeds a day, either way.
    ///
    /// - Parameter milliseconds: at most some years' worth, which leaves room for the sum.
    init(days: Int64, milliseconds: Int64) {
        let (carry, rest) = milliseconds.floorDivided(by: Self.dayMilliseconds)
        (self.days, self.milliseconds) = (days + carry, rest)
    }

    /// - Parameters:
    ///   - instant: milliseconds since 1970 UTC.
    ///   - offset: of the place, in milliseconds east of UTC.
    init(_ instant: Int64, offset: Int64) {
        let (days, rest) = instant.floorDivided(by: Self.dayMilliseconds)
        self.init(days: days, milliseconds: rest + offset)
    }

    /// Milliseconds since 1970 UTC where the offset is `offset`; nil beyond what a date can hold.
    func instant(offset: Int64) -> Int64? {
        // The rest is subtracted from a later day when the day alone would be beyond what a date can hold.
        let isBefore = days < 0
        let (start, overflow) = (isBefore ? days + 1 : days).multipliedReportingOverflow(by: Self.dayMilliseconds)
        guard !overflow else { return nil }
        let rest = milliseconds - offset - (isBefore ? Self.dayMilliseconds : 0)
        let (sum, isBeyond) = start.addingReportingOverflow(rest)
        return isBeyond ? nil : sum
    }
}

// What calendars and clocks show.
extension LocalTime {
    var date: CivilDate { CivilDate(days: days) }
    var hour: Int64 { milliseconds / 3_600_000 }
    var minute: Int64 { milliseconds / 60_000 % 60 }
    var second: Int64 { milliseconds / 1000 % 60 }
    var millisecond: Int64 { milliseconds % 1000 }

    /// 1 (Sunday) … 7.
    var dayOfWeek: Int64 { (days + 4).floorDivided(by: 7).remainder + 1 }
    /// 1 (Monday) … 7.
    var isoDayOfWeek: Int64 { (days + 3).floorDivided(by: 7).remainder + 1 }
    /// 1 … 366.
    var dayOfYear: Int64 { days - CivilDate(year: date.year, month: 1, day: 1).days + 1 }
    /// Weeks begin on Sundays; the days before the first are in week 0.
    var week: Int64 { (dayOfYear + 7 - dayOfWeek) / 7 }

    /// An ISO week belongs to the year that its Thursday is in.
    private var thursday: Int64 { days - isoDayOfWeek + 4 }
    var isoWeekYear: Int64 { CivilDate(days: thursday).year }
    var isoWeek: Int64 { (thursday - CivilDate(year: isoWeekYear, month: 1, day: 1).days) / 7 + 1 }

    /// The day number of the Monday in the first week of an ISO year: of the week that January 4 is in.
    static func isoYearStart(_ year: Int64) -> Int64 {
        let fourth = LocalTime(days: CivilDate(year: year, month: 1, day: 4).days, milliseconds: 0)
        return fourth.days - fourth.isoDayOfWeek + 1
    }
}

extension Int64 {
    /// Rounded down, so that the remainder is never negative.
    ///
    /// - Parameter divisor: positive.
    @inline(__always)
    func floorDivided(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
