import Testing

@testable import Metrics

@Suite("The load of the last minutes")
struct LoadHistoryTests {
    /// A server that does `perSecond` finds and half as many inserts, each of a millisecond.
    private struct Server {
        var nanoseconds: Int64 = 5_000_000_000
        var kinds = [LatencyCounts(.fine), LatencyCounts(.fine)]
        var errors = 0
        var history = LoadHistory()

        mutating func run(seconds: Int, perSecond: Int, microseconds: Int64 = 1_000) {
            for _ in 0..<seconds {
                for _ in 0..<perSecond { kinds[0].record(nanoseconds: microseconds * 1_000) }
                for _ in 0..<perSecond / 2 { kinds[1].record(nanoseconds: microseconds * 1_000) }
                errors += 1
                nanoseconds += 1_000_000_000
                read()
            }
        }

        mutating func read() {
            history.add(LoadHistory.Reading(nanoseconds: nanoseconds, kinds: kinds, totals: [errors]))
        }
    }

    @Test("nothing is known before the second reading")
    func beginning() {
        var server = Server()
        #expect(server.history.steadyRates.isEmpty && server.history.recent.isEmpty)
        server.read()
        #expect(server.history.samples.isEmpty && server.history.steadyRates.isEmpty)
        #expect(server.history.recent.map(\.count) == [0, 0])
        server.run(seconds: 1, perSecond: 10)
        #expect(server.history.samples.map(\.rates) == [[10, 5]])
        #expect(server.history.samples.first?.totals == [1])
    }

    @Test("rates are those of the last seconds, whatever was before")
    func rates() {
        var server = Server()
        server.read()
        server.run(seconds: 40, perSecond: 100)
        #expect(server.history.steadyRates == [100, 50])
        server.run(seconds: LoadHistory.steadySamples, perSecond: 20)
        #expect(server.history.steadyRates == [20, 10])
        #expect(server.history.steadyTotals == [1])
    }

    @Test("samples are bounded, and the newest stay")
    func bounded() {
        var server = Server()
        server.read()
        server.run(seconds: LoadHistory.samplesMax + 30, perSecond: 2)
        server.run(seconds: 1, perSecond: 8)
        #expect(server.history.samples.count == LoadHistory.samplesMax)
        #expect(server.history.samples.last?.rate == 12)
    }

    @Test("times are those of about a minute: what was before is forgotten")
    func recent() {
        var server = Server()
        server.read()
        server.run(seconds: 200, perSecond: 4, microseconds: 900_000)
        let reach = LoadHistory.markEvery * LoadHistory.marksMax
        server.run(seconds: reach, perSecond: 4, microseconds: 100)
        #expect(server.history.recentNanoseconds <= Int64(reach) * 1_000_000_000)
        #expect(server.history.recentNanoseconds >= Int64(reach - LoadHistory.markEvery) * 1_000_000_000)
        for counts in server.history.recent { #expect((counts.quantile(1) ?? 0) < 120) }
    }

    @Test("a second without commands has no percentiles, and an idle minute neither")
    func idle() {
        var server = Server()
        server.read()
        server.run(seconds: 5, perSecond: 4)
        server.run(seconds: 200, perSecond: 0)
        #expect(server.history.samples.last?.p99 == nil)
        #expect(server.history.samples.last?.rate == 0)
        #expect(server.history.recent.allSatisfy { $0.quantile(0.5) == nil })
    }

    @Test("a clock that stands still or goes back gives no sample")
    func clock() {
        var server = Server()
        server.read()
        server.run(seconds: 2, perSecond: 3)
        server.nanoseconds -= 10_000_000_000
        server.read()
        server.read()
        #expect(server.history.samples.count == 2)
        server.run(seconds: 1, perSecond: 3)
        #expect(server.history.samples.last?.rates == [3, 1])
    }
}
