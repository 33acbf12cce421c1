import BSON
import CommandModel
import NIOCore
import Postgres
import Query
import SQL
import Testing

@testable import Storage

extension DatabaseTests {
    /// Values of a field by walks that pass over all keys with a value they know.
    @Suite struct DistinctScanTests {
        private static let values = [
            "null", "0", "1", "-1", "300", "-70000", "1.5", "-0.25", "1e300", "-1e300", "5e-324", "9007199254740993",
            #"{"$numberLong":"-9223372036854775808"}"#, #"{"$numberDouble":"NaN"}"#, #"{"$numberDouble":"-Infinity"}"#,
            #"{"$numberDouble":"Infinity"}"#, #"{"$numberDecimal":"0.1"}"#, #"{"$numberDecimal":"-12.34"}"#,
            #"{"$numberDecimal":"1E+6000"}"#, #"{"$numberDecimal":"-123456789012345678901234567890.12"}"#,
            #"{"$numberDecimal":"-1E-6000"}"#, #""""#, #""text""#, #""a\u0000b\u0001\u0002""#, "true", "false",
            #"{"$minKey":1}"#, #"{"$maxKey":1}"#, #"{"$undefined":true}"#,
            #"{"$oid":"00ff00ff00ff00ff00ff00ff"}"#, #"{"$date":{"$numberLong":"-5"}}"#,
            #"{"$timestamp":{"t":255,"i":0}}"#, #"{"$binary":{"base64":"","subType":"00"}}"#,
            #"{"$binary":{"base64":"AAD/AQ==","subType":"80"}}"#,
            #"{"$regularExpression":{"pattern":"^a.b","options":"im"}}"#, #"{"$code":"f()"}"#,
            #"{"$code":"f()","$scope":{"x":[1,{"y":"z"}],"w":{}}}"#,
            #"{"$dbPointer":{"$ref":"b.c","$id":{"$oid":"00112233445566778899aabb"}}}"#, "{}", "[]",
            #"{"a":1,"b":{"c":[1.5,"x",null,[]],"d":true}}"#, #"[[],{},[0,-1.25,"",{"$numberDecimal":"-0.1"}]]"#,
        ]

        @Test("the first values of a key end where they ended when they were written")
        func heads() throws {
            let store = try TestStore.make()
            let connection = try store.connect()
            let whole = json("{" + Self.values.enumerated().map { "\"\($0)\":\($1)" }.joined(separator: ",") + "}")
            let encoded = whole.withRaw { raw in
                raw.flatMap { element in
                    [false, true].map { descending -> (bytes: [UInt8], isDescending: Bool) in
                        var encoder = KeyEncoder()
                        encoder.append(element.value, descending: descending)
                        return (encoder.bytes, descending)
                    }
                }
            }
            #expect(encoded.count == Self.values.count * 2)
            for (place, first) in encoded.enumerated() {
                let second = encoded[(place * 7 + 3) % encoded.count]
                for (fields, expected) in [([first], first.bytes), ([first, second], first.bytes + second.bytes)] {
                    let key = first.bytes + second.bytes + [0x10, 0xEF]
                    let row = try connection.execute(
                        Statement(
                            "SELECT martlet.key_head($1, $2)",
                            [.bytes(key), .boolArray(fields.map(\.isDescending))]))
                    #expect(
                        row.byteArray(row: 0, column: 0) == expected,
                        "\(Self.values[place / 2]) \(first.isDescending) \(fields.count)")
                }
            }
        }

        private static let documents = 300

        private func document(_ id: Int, _ random: inout SeededGenerator) -> Document {
            func value(_ most: Int) -> String {
                switch Int.random(in: 0..<8, using: &random) {
                case 0: "null"
                case 1: #""\#(["x", "X", "y"].randomElement(using: &random) ?? "x")""#
                case 2: #"{"k":\#(Int.random(in: 0..<3, using: &random))}"#
                default: "\(Int.random(in: -2..<most, using: &random))"
                }
            }
            var fields = ["\"_id\":\(id)"]
            for (name, most) in [("a", 4), ("b", 12), ("c", 3)] where Int.random(in: 0..<6, using: &random) > 0 {
                fields.append("\"\(name)\":\(value(most))")
            }
            if Int.random(in: 0..<3, using: &random) == 0 { fields.append(#""m":[1,2,3]"#) }
            return json("{" + fields.joined(separator: ",") + "}")
        }

        private static let filters = [
            "{}", #"{"a":1}"#, #"{"a":{"$gte":0}}"#, #"{"a":{"$in":[0,2,"x"]}}"#, #"{"a":null}"#,
            #"{"a":1,"b":{"$lt":5}}"#, #"{"a":{"$exists":true}}"#, #"{"c":{"$gt":0}}"#, #"{"m":2}"#,
        ]

        @Test("distinct values and groups: the same with and without indexes")
        func sameValues() async throws {
            let seed = SeededGenerator.seed()
            print("MARTLET_SEED=\(seed)")
            var random = SeededGenerator(seed: seed)
            let store = try TestStore.make()
            try await store.index(
                #"{"key":{"a":1,"b":-1}}"#, #"{"key":{"c":-1}}"#, #"{"key":{"m":1,"a":1}}"#,
                #"{"key":{"b":1,"c":1},"collation":{"locale":"en","strength":2}}"#, on: namespace("indexed"))
            let plain = try await store.collection("plain")
            for id in 0..<Self.documents {
                let document = document(id, &random)
                try await store.engine.insert(document, into: plain)
                _ = try await store.engine.withCollectionCreated(namespace("indexed")) {
                    collection async throws(StorageError) in
                    try await store.engine.insert(document, into: collection)
                }
            }
            let indexed = try await store.collection("indexed")
            var steps = 0
            for filter in Self.filters {
                for path in ["a", "b", "c", "a.k", "z"] {
                    let query = FindQuery(filter: try Filter(compiling: json(filter)))
                    let collector = DistinctCollector(path: path)
                    if case .keys(let scan) = try query.asking(for: collector).choosingAccess(in: indexed).access,
                        scan.distinctFields > 0
                    {
                        steps += 1
                    }
                    let expected = try await store.engine.distinct(query, into: collector, in: plain).texts
                    let found = try await store.engine.distinct(query, into: collector, in: indexed).texts
                    #expect(found == expected, "\(path) where \(filter) MARTLET_SEED=\(seed)")
                }
                for rest in [
                    #"{"$group":{"_id":"$a"}}"#, #"{"$group":{"_id":"$c"}},{"$count":"n"}"#,
                    #"{"$sort":{"a":1,"b":-1}},{"$group":{"_id":"$a","b":{"$first":"$b"}}}"#,
                    #"{"$sort":{"a":-1,"b":1}},{"$group":{"_id":"$a","b":{"$first":"$b"}}}"#,
                    #"{"$group":{"_id":"$a","n":{"$sum":1}}}"#,
                ] {
                    let pipeline = "[{\"$match\":\(filter)},\(rest)]"
                    let expected = try await groups(pipeline, in: plain, store)
                    #expect(
                        try await groups(pipeline, in: indexed, store) == expected, "\(pipeline) MARTLET_SEED=\(seed)")
                }
            }
            #expect(steps > 0)
        }

        private func groups(
            _ text: String, in collection: Storage.Collection, _ store: TestStore
        ) async throws -> [String] {
            var rest = try json("{\"p\":\(text)}").withRaw { document in
                let stages = try #require(document["p"]?.array)
                return try PipelineCompiler(in: .anyTime).compile(stages).pipeline.optimized()
            }
            let query = FindQuery(absorbing: &rest)
            var run = QueryRun(query, on: collection, through: rest.stages.isEmpty ? nil : rest)
            var all: [Document] = []
            while !run.isExhausted { all += try await store.engine.next(&run, count: 3) }
            return all.map(\.text).sorted()
        }

        @Test("with more values than steps what comes is read")
        func manyValues() async throws {
            let store = try TestStore.make()
            try await store.index(#"{"key":{"a":1,"b":1}}"#, #"{"key":{"b":-1}}"#)
            let collection = try await store.collection()
            let count = KeyScan.stepsMax + 500
            try await store.engine.fill(
                (0..<count).map { json("{\"_id\":\($0),\"a\":\($0),\"b\":\($0)}") }
                    + (0..<count).map { json("{\"_id\":\(-1 - $0),\"a\":\($0),\"b\":\($0)}") }, into: collection)
            for path in ["a", "b"] {
                let query = FindQuery(filter: .everything)
                let found = try await store.engine.distinct(query, into: DistinctCollector(path: path), in: collection)
                #expect(found.sorted().count == count)
                let groups = try await groups(#"[{"$group":{"_id":"$\#(path)"}}]"#, in: collection, store)
                #expect(Set(groups).count == count && groups.count == count)
            }
            let firsts = try await groups(
                #"[{"$sort":{"a":1,"b":1}},{"$group":{"_id":"$a","b":{"$first":"$b"}}}]"#, in: collection, store)
            #expect(firsts == (0..<count).map { "{\"_id\":\($0),\"b\":\($0)}" }.sorted())
        }

        @Test("one document is read for each value")
        func examined() async throws {
            let store = try TestStore.make()
            try await store.index(#"{"key":{"a":1,"b":1}}"#)
            let collection = try await store.collection()
            try await store.engine.fill(
                (0..<2_000).map { json("{\"_id\":\($0),\"a\":\($0 % 5),\"b\":\($0)}") }, into: collection)
            let query = FindQuery(filter: .everything).asking(for: DistinctCollector(path: "a"))
            let profile = try await store.engine.profile(query, in: collection, counts: false)
            #expect(profile.examined == 5 && profile.returned == 5)
        }
    }
}

extension DistinctCollector {
    fileprivate var texts: [String] { sorted().map { $0.extendedJSON(.relaxed) } }
}
