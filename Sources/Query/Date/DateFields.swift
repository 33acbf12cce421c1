internal import BSON

/// What a text says of a date: maybe not all.
struct DateFields {
    var year: Int64?
    var month: Int64?
    var day: Int64?
    var dayOfYear: Int64?
    var isoWeekYear: Int64?
    var isoWeek: Int64?
    var isoDayOfWeek: Int64?
    /// 1 (Monday) … 7: only to be checked against the date.
    var weekday: Int64?
    /// Milliseconds since midnight, a whole day included: 24:00.
    var time: Int64?
    var zone: TimeZone?

    /// Milliseconds since 1970 UTC; nil if the day is not there in full, or is none.
    ///
    /// - Parameter place: where the date is unless the text says it.
    func instant(in place: TimeZone) -> Int64? {
        guard let days else { return nil }
        let local = LocalTime(days: days, milliseconds: 0)
        if let weekday, weekday != local.isoDayOfWeek { return nil }
        return (zone ?? place).instant(of: LocalTime(days: days, milliseconds: time ?? 0))
    }

    private var days: Int64? {
        if let isoWeekYear {
            guard year == nil, month == nil, day == nil, dayOfYear == nil else { return nil }
            return LocalTime.isoYearStart(isoWeekYear) + ((isoWeek ?? 1) - 1) * 7 + (isoDayOfWeek ?? 1) - 1
        }
        guard let year, isoWeek == nil, isoDayOfWeek == nil else { return nil }
        if let dayOfYear {
            guard month == nil, day == nil, (1...(CivilDate.isLeap(year) ? 366 : 365)).contains(dayOfYear) else {
                return nil
            }
            return CivilDate(year: year, month: 1, day: 1).days + dayOfYear - 1
        }
        guard let month, let day, (1...12).contains(month) else { return nil }
        guard (1...CivilDate.daysIn(month: month, of: year)).contains(day) else { return nil }
        return CivilDate(year: year, month: month, day: day).days
    }
}

/// English names of months and days of the week.
enum CalendarNames {
    static let months: [StaticString] = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]
    static let weekdays: [StaticString] = [
        "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
    ]

    /// The number, from 1, of the name that `word` is: in full or abbreviated to three letters, in any case.
    static func index(of word: some Collection<UInt8>, in names: [StaticString]) -> Int64? {
        for (index, name) in names.enumerated() {
            let letters = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
            guard word.count == 3 || word.count == letters.count else { continue }
            if zip(word, letters).allSatisfy({ $0 | 0x20 == $1 | 0x20 }) { return Int64(index) + 1 }
        }
        return nil
    }
}
