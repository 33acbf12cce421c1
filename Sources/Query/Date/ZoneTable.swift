internal import BSON
internal import CICU
internal import Synchronization

/// The instants at which a place changed its offset from UTC, and will up to the year 2100.
///
/// Taken from ICU once, because a look-up in a sorted table costs a few nanoseconds, and asking ICU's calendar a
/// thousand times as much. Rules that hold in 2100 are taken to hold for ever: later instants are looked up in a year
/// of the table that has the same days of the week.
final class ZoneTable: Sendable {
    private struct Transition {
        let instant: Int64
        /// On the clocks of the place, in milliseconds: from here on the new offset holds. A time that is shown twice
        /// is before, and so is one that is left out.
        let local: Int64
        let offset: Int64
    }

    private let firstOffset: Int64
    private let transitions: [Transition]
    /// Whether the offset still changes at the end of the table.
    private let changesForEver: Bool

    /// 1800: there was no standard time anywhere.
    private static let begin: Int64 = -5_364_662_400_000
    private static let endYear: Int64 = 2100
    private static let end = CivilDate(year: endYear, month: 1, day: 1).days * LocalTime.dayMilliseconds
    /// More than any zone has.
    private static let transitionsMax = 2000

    /// The offset, of a place that has never changed it.
    var constantOffset: Int64? { transitions.isEmpty ? firstOffset : nil }

    private init(_ calendar: UnsafeMutablePointer<UCalendar?>) {
        var offset = Int64(cicu_calendar_offset(calendar, Double(Self.begin)))
        firstOffset = offset
        var found: [Transition] = []
        var next = 0.0
        while found.count < Self.transitionsMax, cicu_calendar_next_transition(calendar, &next),
            let instant = Int64(exactly: next.rounded()), instant < Self.end
        {
            let before = offset
            offset = Int64(cicu_calendar_offset(calendar, next))
            guard offset != before else { continue }
            found.append(Transition(instant: instant, local: instant + max(before, offset), offset: offset))
        }
        transitions = found
        let lastYear = Self.end - 400 * LocalTime.dayMilliseconds
        changesForEver = found.last.map { $0.instant > lastYear } ?? false
    }

    func offset(at instant: Int64) -> Int64 {
        var instant = instant
        if instant >= Self.end, changesForEver {
            let local = LocalTime(instant, offset: 0)
            instant = Self.sameDayInTable(local.days) * LocalTime.dayMilliseconds + local.milliseconds
        }
        return offset { $0.instant <= instant }
    }

    func offset(atLocal local: LocalTime) -> Int64 {
        var days = min(max(local.days, -1_000_000), 1_000_000_000)
        if days * LocalTime.dayMilliseconds >= Self.end, changesForEver { days = Self.sameDayInTable(days) }
        let time = days * LocalTime.dayMilliseconds + local.milliseconds
        return offset { $0.local <= time }
    }

    private func offset(_ hasHappened: (Transition) -> Bool) -> Int64 {
        var (low, high) = (0, transitions.count)
        while low < high {
            let middle = (low + high) / 2
            if hasHappened(transitions[middle]) { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? firstOffset : transitions[low - 1].offset
    }

    /// The same day of a year among the last 28 of the table that begins with the same day of the week and is as long.
    private static func sameDayInTable(_ days: Int64) -> Int64 {
        let year = CivilDate(days: days).year
        let start = CivilDate(year: year, month: 1, day: 1).days
        for candidate in (endYear - 28)..<endYear where CivilDate.isLeap(candidate) == CivilDate.isLeap(year) {
            let candidateStart = CivilDate(year: candidate, month: 1, day: 1).days
            if (start - candidateStart) % 7 == 0 { return candidateStart + days - start }
        }
        return days
    }
}

extension ZoneTable {
    private static let tables = Mutex<[String: ZoneTable]>([:])
    private static let nameBytesMax = 60
    /// What ICU knows besides the Olson database: abbreviations of old, in which MongoDB sees no time zones.
    private static let foreignNames: Set<String> = [
        "ACT", "AET", "AGT", "ART", "AST", "BET", "BST", "CAT", "CNT", "CST", "CTT", "EAT", "ECT", "IET", "IST", "JST",
        "MIT", "NET", "NST", "PLT", "PNT", "PRT", "PST", "SST", "VST", "Etc/Unknown",
    ]

    /// - Returns: a table that lives for ever; nil if there is no such zone.
    static func named(_ name: UnsafeRawBufferPointer) -> Unmanaged<ZoneTable>? {
        guard (1...nameBytesMax).contains(name.count), name.allSatisfy({ $0 > 32 && $0 < 127 }) else { return nil }
        let key = String(decoding: name, as: UTF8.self)
        if let table = tables.withLock({ $0[key] }) { return .passUnretained(table) }
        guard !foreignNames.contains(key), let table = make(name.map { UInt16($0) }) else { return nil }
        // Whoever was first stays, because it is in use by now.
        return tables.withLock { tables in
            let kept = tables[key] ?? table
            tables[key] = kept
            return .passUnretained(kept)
        }
    }

    private static func make(_ name: [UInt16]) -> ZoneTable? {
        guard cicu_zone_exists(name, Int32(name.count)), let calendar = cicu_calendar_open(name, Int32(name.count))
        else { return nil }
        defer { cicu_calendar_close(calendar) }
        return ZoneTable(calendar)
    }
}
