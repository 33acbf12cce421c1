/// A day of the proleptic Gregorian calendar. The year before 1 is 0.
///
/// Days are counted in years that begin in March, so that the leap day is the last of its year, and in eras of 400
/// years, all of which are equally long. The arithmetic is exact for all days that a date in milliseconds can fall on,
/// and for years up to a thousand times as far away.
package struct CivilDate: Equatable, Sendable {
    package var year: Int64
    /// 1 … 12.
    package var month: Int64
    /// 1 … 31.
    package var day: Int64

    private static let eraDays: Int64 = 146_097
    /// From the beginning of era 0 (0000-03-01) to 1970-01-01.
    private static let epoch: Int64 = 719_468

    package init(year: Int64, month: Int64, day: Int64) {
        (self.year, self.month, self.day) = (year, month, day)
    }

    /// - Parameter days: since 1970-01-01.
    package init(days: Int64) {
        let shifted = days + Self.epoch
        let era = (shifted >= 0 ? shifted : shifted - (Self.eraDays - 1)) / Self.eraDays
        let dayOfEra = shifted - era * Self.eraDays
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    }

    /// Since 1970-01-01. The day need not be one of its month: the 0th is the one before the first.
    package var days: Int64 {
        let marchYear = month <= 2 ? year - 1 : year
        let era = (marchYear >= 0 ? marchYear : marchYear - 399) / 400
        let yearOfEra = marchYear - era * 400
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return era * Self.eraDays + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - Self.epoch
    }

    package static func isLeap(_ year: Int64) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    package static func daysIn(month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}
