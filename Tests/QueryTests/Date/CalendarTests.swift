import BSON
import Testing

@testable import Query

@Suite struct CalendarTests {
    /// What Python's datetime and zoneinfo say: an instant, a zone; what clocks show; day of the year and of the week
    /// (Sunday is 1), week; ISO year, week and day; offset in seconds.
    private static let table = """
        28151299402174 Pacific/Apia 2862-01-29T18:23:22.174 29 1 5 2862 4 7 46800
        1055512777676 Europe/Berlin 2003-06-13T15:59:37.676 164 6 23 2003 24 5 7200
        -384710610273 Australia/Sydney 1957-10-23T17:56:29.727 296 4 42 1957 43 3 36000
        182149169031785 Pacific/Apia 7742-01-29T12:23:51.785 29 2 4 7742 5 1 46800
        231840036403 America/New_York 1977-05-07T04:00:36.403 127 7 18 1977 18 6 -14400
        2640692919585 Asia/Kathmandu 2053-09-05T19:33:39.585 248 6 35 2053 36 5 20700
        254945801024 Australia/Sydney 1978-01-30T05:16:41.024 30 2 5 1978 5 1 39600
        9908428783886 Europe/Berlin 2283-12-26T22:19:43.886 360 4 51 2283 52 3 3600
        94261530880061 Africa/Johannesburg 4957-01-11T00:34:40.061 11 3 2 4957 2 2 7200
        -786296895465 Australia/Lord_Howe 1945-01-31T18:11:44.535 31 4 4 1945 5 3 36000
        1902753194852 Pacific/Apia 2030-04-19T03:33:14.852 109 6 15 2030 16 5 46800
        885189075816 Europe/Berlin 1998-01-19T06:51:15.816 19 2 3 1998 4 1 3600
        5459098112244 Asia/Kolkata 2142-12-29T05:38:32.244 363 7 51 2142 52 6 19800
        1555953616303 America/Los_Angeles 2019-04-22T10:20:16.303 112 2 16 2019 17 1 -25200
        13223141999611 UTC 2389-01-09T14:59:59.611 9 2 2 2389 2 1 0
        -1543637888533 Asia/Kathmandu 1921-02-01T01:11:51.467 32 3 5 1921 5 2 19800
        -53774549584670 America/Los_Angeles 0265-12-14T01:13:57.330 348 5 50 265 50 4 -28378
        1941464276852 Asia/Kolkata 2031-07-10T21:07:56.852 191 5 27 2031 28 4 19800
        757072213208 Australia/Sydney 1993-12-28T20:50:13.208 362 3 52 1993 52 2 39600
        2081870330396 Pacific/Apia 2035-12-22T06:18:50.396 356 7 50 2035 51 6 46800
        -28666557296230 America/Los_Angeles 1061-08-04T19:32:05.770 216 1 31 1061 31 7 -28378
        1386038786286 Asia/Kathmandu 2013-12-03T08:31:26.286 337 3 48 2013 49 2 20700
        1660495031490 Europe/Berlin 2022-08-14T18:37:11.490 226 1 33 2022 32 7 7200
        -2385112210447 UTC 1894-06-02T12:49:49.553 153 7 21 1894 22 6 0
        -2083179251659 America/New_York 1903-12-27T22:05:48.341 361 1 52 1903 52 7 -18000
        92759786008332 Africa/Johannesburg 4909-06-10T17:13:28.332 161 2 23 4909 24 1 7200
        1105525467231 Europe/London 2005-01-12T10:24:27.231 12 4 2 2005 2 3 0
        -40269193290354 Europe/Berlin 0693-12-02T09:51:57.646 336 7 48 693 48 6 3208
        -1931723569217 Africa/Johannesburg 1908-10-15T04:07:10.783 289 5 41 1908 42 4 7200
        1572963447274 Asia/Kolkata 2019-11-05T19:47:27.274 309 3 44 2019 45 2 19800
        13064268704246 Asia/Kolkata 2383-12-29T01:01:44.246 363 5 52 2383 52 4 19800
        1224012595727 Pacific/Apia 2008-10-14T08:29:55.727 288 3 41 2008 42 2 -39600
        -729287693938 Asia/Kathmandu 1946-11-22T09:35:06.062 326 6 46 1946 47 5 19800
        -2145936787682 Asia/Kolkata 1901-12-31T23:48:02.318 365 3 52 1902 1 2 19270
        144720755130338 Australia/Lord_Howe 6556-01-08T04:45:30.338 8 5 1 6556 2 4 39600
        -1314336828358 America/Sao_Paulo 1928-05-08T15:26:11.642 129 3 19 1928 19 2 -10800
        155093153819 Europe/Berlin 1974-12-01T02:25:53.819 335 1 48 1974 48 7 3600
        1229552119008 UTC 2008-12-17T22:15:19.008 352 4 50 2008 51 3 0
        999346076884 America/St_Johns 2001-09-01T09:37:56.884 244 7 34 2001 35 6 -9000
        6371838593609 Asia/Kathmandu 2171-12-01T08:54:53.609 335 1 48 2171 48 7 20700
        1377455417120 Pacific/Apia 2013-08-26T07:30:17.120 238 2 34 2013 35 1 46800
        -919339719272 Africa/Johannesburg 1940-11-13T13:51:20.728 318 4 45 1940 46 3 7200
        8804440974179 Australia/Lord_Howe 2249-01-01T17:02:54.179 1 2 0 2249 1 1 39600
        735305373521 Pacific/Apia 1993-04-20T00:29:33.521 110 3 16 1993 16 2 -39600
        4813991620318 Pacific/Apia 2122-07-21T00:53:40.318 202 3 29 2122 30 2 46800
        1041091659969 Africa/Johannesburg 2002-12-28T18:07:39.969 362 7 51 2002 52 6 7200
        -784671667941 America/Sao_Paulo 1945-02-19T00:38:52.059 50 2 7 1945 8 1 -10800
        -1055322616638 Europe/Berlin 1936-07-23T15:49:43.362 205 5 29 1936 30 4 3600
        193762166228385 America/Los_Angeles 8110-01-29T07:57:08.385 29 4 4 8110 5 3 -28800
        12223526473058 Europe/London 2357-05-08T01:01:13.058 128 4 18 2357 19 3 3600
        1449974547534 Australia/Lord_Howe 2015-12-13T13:42:27.534 347 1 50 2015 50 7 39600
        -1104382573910 Asia/Tokyo 1935-01-03T04:03:46.090 3 5 0 1935 1 4 32400
        247219483477 America/Los_Angeles 1977-11-01T00:04:43.477 305 3 44 1977 44 2 -28800
        6533485644623 Asia/Kolkata 2177-01-14T06:37:24.623 14 3 2 2177 3 2 19800
        8833314365430 America/Los_Angeles 2249-12-01T02:26:05.430 335 7 47 2249 48 6 -28800
        2030959303743 Europe/London 2034-05-11T12:21:43.743 131 5 19 2034 19 4 3600
        922416805788 Europe/Berlin 1999-03-26T03:53:25.788 85 6 12 1999 12 5 3600
        -31843411890503 America/New_York 0960-12-02T18:52:27.497 337 3 48 960 49 2 -17762
        549834935678 UTC 1987-06-04T19:55:35.678 155 5 22 1987 23 4 0
        1354327204488 Pacific/Apia 2012-12-01T16:00:04.488 336 7 48 2012 48 6 50400
        1985526424308 Pacific/Apia 2032-12-02T04:07:04.308 337 5 48 2032 49 4 46800
        22900281694273 America/New_York 2695-09-06T09:21:34.273 249 6 35 2695 36 5 -14400
        5963964868783 Asia/Kathmandu 2158-12-28T14:39:28.783 362 5 52 2158 52 4 20700
        147620914487538 America/New_York 6647-12-03T04:34:47.538 337 6 48 6647 48 5 -18000
        -1187151621596 Asia/Kolkata 1932-05-20T01:09:38.404 141 6 20 1932 20 5 19800
        7965088775171 Australia/Sydney 2222-05-28T22:39:35.171 148 3 21 2222 22 2 36000
        -51438225689467 UTC 0339-12-28T03:58:30.533 362 5 52 339 52 4 0
        1672849156000 Europe/London 2023-01-04T16:19:16.000 4 4 1 2023 1 3 0
        1237961228237 Asia/Tokyo 2009-03-25T15:07:08.237 84 4 12 2009 13 3 32400
        1293513406819 Europe/London 2010-12-28T05:16:46.819 362 3 52 2010 52 2 0
        """

    @Test("calendars and clocks are those of Python", arguments: table.split(separator: "\n"))
    func parts(row: Substring) throws {
        let columns = row.split(separator: " ").map(String.init)
        let instant = try #require(Int64(columns[0]))
        let zone = try #require(Self.zone(columns[1]))
        let local = zone.local(instant)
        #expect(try format("%Y-%m-%dT%H:%M:%S.%L", instant, zone) == columns[2])
        let found = [
            local.dayOfYear, local.dayOfWeek, local.week, local.isoWeekYear, local.isoWeek, local.isoDayOfWeek,
            zone.offset(at: instant) / 1000,
        ]
        #expect(found == columns[3...].compactMap { Int64($0) })
        #expect(zone.offset(at: zone.instant(of: local) ?? 0) == zone.offset(at: instant))
    }

    @Test("a time that is left out counts on from before, and one that is shown twice is the first")
    func gaps() throws {
        let newYork = try #require(Self.zone("America/New_York"))
        // 2021-03-14 02:30 does not exist, 2021-11-07 01:30 exists twice.
        #expect(newYork.instant(of: LocalTime(days: 18_700, milliseconds: 9_000_000)) == 1_615_707_000_000)
        #expect(newYork.instant(of: LocalTime(days: 18_938, milliseconds: 5_400_000)) == 1_636_263_000_000)
        // Samoa had no 2011-12-30.
        let samoa = try #require(Self.zone("Pacific/Apia"))
        #expect(try format("%Y-%m-%d %H %z", 1_325_242_800_000, samoa) == "2011-12-31 01 +1400")
        #expect(samoa.instant(of: LocalTime(days: 15_338, milliseconds: 3_600_000)) == 1_325_242_800_000)
    }

    @Test("rules go on beyond the table of transitions")
    func farFuture() throws {
        let berlin = try #require(Self.zone("Europe/Berlin"))
        for year in [2099, 2100, 2101, 2399, 2400, 9999] as [Int64] {
            for (month, hours) in [(1, 1), (7, 2), (12, 1)] as [(Int64, Int64)] {
                let days = CivilDate(year: year, month: month, day: 15).days
                #expect(berlin.offset(at: days * 86_400_000) == hours * 3_600_000, "\(year)-\(month)")
                let noon = LocalTime(days: days, milliseconds: 43_200_000)
                #expect(berlin.instant(of: noon) == days * 86_400_000 + (12 - hours) * 3_600_000)
            }
        }
        #expect(berlin.offset(at: .max) != 0)
        #expect(berlin.offset(at: .min) != 0)
    }

    @Test(
        "what names no time zone is none",
        arguments: [
            "", "Z", "EDT", "PST", "IST", "america/new_york", "America/Nowhere", "+100:00", "+5", "05:30", "+05:3",
            "+ab",
            "+05:30:00", "GMT+05:00", "Etc/Unknown", "UTC ", "America/New_York\u{0}",
        ])
    func unknown(name: String) {
        #expect(Self.zone(name).map { _ in true } == nil)
    }

    @Test("additions, differences and truncations agree with each other", arguments: [UInt64.random(in: 0 ... .max)])
    func arithmetic(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let zones = try ["UTC", "+05:45", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"].map {
            try #require(Self.zone($0))
        }
        let units: [DateUnit] = [.year, .quarter, .month, .week, .day, .hour, .minute, .second, .millisecond]
        for _ in 0..<2000 {
            let instant = Int64.random(in: -4_000_000_000_000...8_000_000_000_000, using: &random)
            let zone = zones.randomElement(using: &random) ?? .utc
            let unit = units.randomElement(using: &random) ?? .day
            let startOfWeek = Int64.random(in: 1...7, using: &random)
            let size = Int64.random(in: 1...50, using: &random)
            let start = try unit.truncate(instant, binSize: size, in: zone, startOfWeek: startOfWeek)
            let next = try #require(unit.add(size, to: start, in: zone))
            let message: Comment = "seed \(seed): \(instant) \(unit) \(size) \(startOfWeek)"
            #expect(start <= instant && instant < next, message)
            #expect(try unit.truncate(start, binSize: size, in: zone, startOfWeek: startOfWeek) == start, message)
            let count = unit.difference(from: start, to: next, in: zone, startOfWeek: startOfWeek)
            #expect(count == size, message)
            let back = unit.difference(from: next, to: start, in: zone, startOfWeek: startOfWeek)
            #expect(back == -size, message)
            // Below a day, bins keep to the offset of the year 2000, differences to that of the day.
            if case .milliseconds = unit.measure { continue }
            let inside = try unit.truncate(instant, binSize: 1, in: zone, startOfWeek: startOfWeek)
            #expect(unit.difference(from: inside, to: instant, in: zone, startOfWeek: startOfWeek) == 0, message)
        }
    }

    @Test("nothing traps at the ends of time")
    func ends() {
        for zone in ["UTC", "+99:99", "-99:99", "America/New_York", "Australia/Sydney"].compactMap(Self.zone) {
            for unit in [.year, .quarter, .month, .week, .day, .hour, .millisecond] as [DateUnit] {
                for instant in [Int64.min, .min + 1, -1, 0, .max - 1, .max] {
                    for amount in [-unit.amountMax, -1, 0, 1, unit.amountMax] {
                        _ = unit.add(amount, to: instant, in: zone)
                    }
                    for other in [Int64.min, 0, .max] {
                        _ = unit.difference(from: instant, to: other, in: zone, startOfWeek: 7)
                    }
                    for size in [1, 2, 100_000_000_000, Int64.max] {
                        _ = try? unit.truncate(instant, binSize: size, in: zone, startOfWeek: 1)
                    }
                }
            }
        }
    }

    private static func zone(_ name: String) -> TimeZone? {
        Array(name.utf8).withUnsafeBytes { TimeZone.named($0) }
    }

    private func format(_ format: String, _ instant: Int64, _ zone: TimeZone) throws -> String? {
        let scratch = Scratch()
        return try Array(format.utf8).withUnsafeBytes { bytes in
            try DateFormat(bytes, isRead: false).write(instant, in: zone, scratch).string
        }
    }
}
