import BSON
import CommandModel
import Testing

@testable import Query

@Suite("Estimates of keys")
struct KeyStatisticsTests {
    private func key(_ values: String...) -> [UInt8] {
        values.flatMap { value in
            json("{\"v\":\(value)}").withRaw { KeyEncoder.encode($0["v"] ?? RawValue.nothing(.null)) as [UInt8] }
        }
    }

    private func bounds(_ filter: String, _ pattern: String) throws -> IndexBounds {
        let index = try candidate(#"{"key":\#(pattern)}"#)
        return try #require(IndexPlanner([]).bounds(of: try Filter(compiling: json(filter)), in: index))
    }

    /// 10,000 keys: half of them 7, a tenth "x", the others spread evenly over 100 … 4,099.
    private var skewed: KeyStatistics {
        KeyStatistics(
            entries: 10_000, documents: 10_000, distinct: -0.2,
            common: [.init(key: key("7"), part: 0.5), .init(key: key(#""x""#), part: 0.1)],
            bounds: (0...40).map { key("\($0 * 100 + 100)") })
    }

    @Test(
        "keys in the bounds of a filter",
        arguments: [
            (#"{"a":7}"#, 5_000, 5_000), (#"{"a":"x"}"#, 1_000, 1_000), (#"{"a":500}"#, 1, 5), (#"{"a":8}"#, 1, 5),
            (#"{"a":{"$in":[7,"x",500]}}"#, 6_000, 6_010), (#"{}"#, 10_000, 10_000),
            (#"{"a":{"$lt":100}}"#, 5_000, 5_010), (#"{"a":{"$gte":2100}}"#, 1_950, 2_050),
            (#"{"a":{"$gte":1100,"$lt":1150}}"#, 30, 70), (#"{"a":{"$gt":9000}}"#, 0, 10),
            (#"{"a":{"$ne":7}}"#, 4_990, 5_010), (#"{"a":{"$gte":""}}"#, 1_000, 1_010), (#"{"a":{"$lt":0}}"#, 0, 10),
        ] as [(String, Double, Double)])
    func skewed(_ filter: String, _ least: Double, _ most: Double) throws {
        let found = skewed.keys(in: try bounds(filter, #"{"a":1}"#), fields: 1)
        #expect(found >= least && found <= most, "\(found) of \(filter)")
    }

    /// 10,000 keys of two fields: the first is 1 in half of them and one of 1,000 … 5,999 in the others.
    private var pairs: KeyStatistics {
        KeyStatistics(
            entries: 10_000, documents: 10_000, distinct: -1, common: [],
            bounds: (0...50).map { key("1", "\($0 * 100)") } + (1...50).map { key("\($0 * 100 + 900)", "5") })
    }

    @Test(
        "the first fields of a compound index: whole buckets are counted, within one there is a guess",
        arguments: [
            (#"{"a":1}"#, 4_900, 5_100), (#"{"a":1,"b":{"$lt":2500}}"#, 2_400, 2_600), (#"{"a":1234}"#, 50, 100),
            (#"{"a":{"$in":[1234,2345]}}"#, 100, 200), (#"{"a":{"$gte":3400}}"#, 2_400, 2_600),
            (#"{"a":1,"b":7}"#, 1, 1),
        ] as [(String, Double, Double)])
    func pairs(_ filter: String, _ least: Double, _ most: Double) throws {
        let found = pairs.keys(in: try bounds(filter, #"{"a":1,"b":1}"#), fields: 2)
        #expect(found >= least && found <= most, "\(found) of \(filter)")
    }

    @Test("little is known, and nothing traps")
    func bare() throws {
        let bare = KeyStatistics(entries: 0, documents: 0, distinct: 0, common: [], bounds: [])
        #expect(bare.keys(in: try bounds("{}", #"{"a":1}"#), fields: 1) == 1)
        #expect(bare.keys(in: IndexBounds(intervals: []), fields: 0) == 0)
        let some = KeyStatistics(entries: 400, documents: 1, distinct: 100, common: [], bounds: [[], [0xFF]])
        for filter in [#"{"a":1}"#, #"{"a":{"$gt":1}}"#, #"{"a":{"$ne":1}}"#] {
            let found = some.keys(in: try bounds(filter, #"{"a":1}"#), fields: 1)
            #expect(found >= 0 && found <= 400)
        }
    }
}
