import BSON
import CommandModel
import NIOCore
import Postgres
import Testing

@testable import Storage

@Suite struct SpaceSavingTests {
    @Test(
        "what is frequent is held, and no count is too low nor too high by more than its error",
        arguments: 0..<50 as Range<UInt64>)
    func guarantees(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var sketch = SpaceSaving<UInt64>(capacity: 16)
        var truth: [UInt64: Int] = [:]
        var total = 0
        for _ in 0..<3_000 {
            // Small numbers are frequent.
            let ceiling = UInt64.random(in: 1...200, using: &generator)
            let key = UInt64.random(in: 0..<ceiling, using: &generator)
            let weight = Int.random(in: 1...3, using: &generator)
            truth[key, default: 0] += weight
            total += weight
            sketch.note(key, weight: weight) { key }
        }
        #expect(sketch.entries.count == 16)
        #expect(sketch.entries.reduce(0) { $0 + $1.count } == total, "seed \(seed)")
        for entry in sketch.entries {
            let actual = truth[entry.label] ?? 0
            #expect(entry.count >= actual && entry.count - entry.error <= actual, "seed \(seed)")
        }
        let held = Set(sketch.entries.map(\.label))
        for (key, count) in truth where count > total / 16 { #expect(held.contains(key), "seed \(seed), key \(key)") }
    }

    @Test("decay halves, and forgets what comes to nothing")
    func decay() {
        var sketch = SpaceSaving<String>(capacity: 4)
        sketch.note(1, weight: 5) { "five" }
        sketch.note(2, weight: 1) { "one" }
        sketch.note(1, weight: .max) { "not asked for" }
        #expect(sketch.top(2).map(\.label) == ["five", "one"])
        sketch.decay()
        #expect(sketch.top(2).map(\.label) == ["five"])
        #expect(sketch.entries.first?.count == .max / 2)
    }
}

@Suite struct HotDocumentsTests {
    private let start = NIODeadline.uptimeNanoseconds(1)

    @Test("documents are told apart by namespace and key, shown by _id, hottest first, and cool down")
    func top() {
        let hot = HotDocuments()
        let document = json(#"{"_id": "popular", "n": 1}"#)
        hot.note(namespace("a"), key: document.key, writes: 10, document: document, now: start)
        hot.note(namespace("b"), key: document.key, writes: 30, document: document, now: start)
        hot.note(namespace("a"), key: document.key, writes: 10, document: nil, now: start + .seconds(59))
        let expected = [(namespace("b"), 30), (namespace("a"), 20)].map {
            HotDocuments.Shown(namespace: $0, id: "\"popular\"", writes: $1)
        }
        #expect(hot.top(now: start + .seconds(59)) == expected)
        #expect(hot.top(now: start + .seconds(60)).map(\.writes) == [15, 10])
        #expect(hot.top(now: start + .seconds(120 + 60)).map(\.writes) == [3, 2])
        #expect(hot.top(now: start + .hours(9)).isEmpty)
    }

    @Test("a long _id is cut, and without a document the key stands for it")
    func shown() {
        let hot = HotDocuments()
        let long = json("{\"_id\": \"\(String(repeating: "x", count: 500))\"}")
        hot.note(namespace(), key: long.key, writes: 2, document: long)
        hot.note(namespace(), key: key("5"), writes: 1, document: nil)
        let shown = hot.top().map(\.id)
        #expect(shown.first == "\"" + String(repeating: "x", count: 39) + "…")
        #expect(shown.last?.hasPrefix("key:") == true && shown.allSatisfy { $0.count <= 100 })
    }
}

@Suite struct StorageMetricsTests {
    @Test("retries are counted by state, unknown ones together")
    func retries() {
        let metrics = StorageMetrics()
        for state in [.serializationFailure, .deadlockDetected, .serializationFailure, .diskFull, .ioError]
            as [SQLState]
        { metrics.retried(state) }
        let counted = metrics.retries.all.filter { $0.count > 0 }
        #expect(counted.map(\.state) == ["40001", "40P01", "other"] && counted.map(\.count) == [2, 1, 2])
    }
}
