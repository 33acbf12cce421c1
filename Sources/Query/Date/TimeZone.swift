internal import CommandModel

/// Which offset from UTC holds at a place, and when. Offsets are in milliseconds east of UTC.
///
/// Trivial, as nodes of programs are: tables are made once for each name and never freed; the database of time zones
/// has about 600 names.
struct TimeZone {
    private let fixedOffset: Int64
    private let table: Unmanaged<ZoneTable>?

    static let utc = fixed(0)
    static func fixed(_ offset: Int64) -> TimeZone { TimeZone(fixedOffset: offset, table: nil) }

    private init(fixedOffset: Int64, table: Unmanaged<ZoneTable>?) {
        (self.fixedOffset, self.table) = (fixedOffset, table)
    }

    /// Whether the clocks always show UTC.
    var isUTC: Bool { table == nil && fixedOffset == 0 }

    /// - Parameter instant: milliseconds since 1970 UTC.
    func offset(at instant: Int64) -> Int64 {
        table?._withUnsafeGuaranteedRef { $0.offset(at: instant) } ?? fixedOffset
    }

    /// What the clocks show.
    func local(_ instant: Int64) -> LocalTime { LocalTime(instant, offset: offset(at: instant)) }

    /// When the clocks show a time: the first time, if they are put back and show it twice. A time that is left out
    /// because they are put forward is counted on from before. Nil beyond what a date can hold.
    func instant(of local: LocalTime) -> Int64? {
        let offset = table?._withUnsafeGuaranteedRef { $0.offset(atLocal: local) } ?? fixedOffset
        return local.instant(offset: offset)
    }
}

extension TimeZone {
    /// The zone with a name of the Olson database, in its case, or an offset: `+05`, `-0530`, `+05:30`.
    static func named(_ name: UnsafeRawBufferPointer) -> TimeZone? {
        if let first = name.first, first == UInt8(ascii: "+") || first == UInt8(ascii: "-") { return offset(name) }
        guard let table = ZoneTable.named(name) else { return nil }
        return table._withUnsafeGuaranteedRef { $0.constantOffset }.map { fixed($0) }
            ?? TimeZone(fixedOffset: 0, table: table)
    }

    private static func offset(_ text: UnsafeRawBufferPointer) -> TimeZone? {
        let isColon = text.count == 6 && text[3] == UInt8(ascii: ":")
        guard isColon || text.count == 3 || text.count == 5 else { return nil }
        var value: Int64 = 0
        for (index, byte) in text.enumerated() where index > 0 && !(isColon && index == 3) {
            guard (48...57).contains(byte) else { return nil }
            value = value * 10 + Int64(byte - 48)
        }
        let minutes = text.count == 3 ? value * 60 : value / 100 * 60 + value % 100
        return fixed((text[0] == UInt8(ascii: "-") ? -minutes : minutes) * 60_000)
    }
}

/// The time zones that an evaluation used last, by name, so that a name that is the same in each row is looked up once.
struct TimeZoneCache {
    private var entries: [(name: [UInt8], zone: TimeZone)] = []
    private var next = 0
    private static let entriesMax = 4

    /// - Throws: 40485 for what names no time zone.
    mutating func zone(named name: UnsafeRawBufferPointer) throws(CommandError) -> TimeZone {
        for entry in entries where entry.name.elementsEqual(name) { return entry.zone }
        guard let zone = TimeZone.named(name) else {
            let shown = String(decoding: name.prefix(100), as: UTF8.self)
            throw CommandError(ErrorCode(40485), "unrecognized time zone identifier: \"\(shown)\"")
        }
        if entries.count < Self.entriesMax {
            entries.append((Array(name), zone))
        } else {
            entries[next] = (Array(name), zone)
            next = (next + 1) % Self.entriesMax
        }
        return zone
    }
}
