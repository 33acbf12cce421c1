import BSON
import CommandModel
import Query
import Testing

@testable import Storage

extension DatabaseTests {
    /// `$text` finds, scores and changes what a look at every document would.
    @Suite struct TextIndexTests {
        static let documents = 200
        static let queries = 80

        /// Documents of a few words, and searches for them, with what they mean said once more and simply.
        struct Maker {
            var random: SeededGenerator

            struct Item {
                let id: Int
                let p: Int
                var a: [String]
                var b: [String]

                var document: Document {
                    let (a, b) = (a.joined(separator: " "), b.joined(separator: " "))
                    return json("{\"_id\":\(id),\"p\":\(p),\"t\":\"\(a)\",\"u\":[\"\(b)\"],\"n\":0}")
                }

                func has(_ word: String) -> Bool { a.contains(word) || b.contains(word) }

                func has(phrase: [String]) -> Bool {
                    [a, b].contains { text in
                        (" " + text.joined(separator: " ") + " ").contains(phrase.joined(separator: " "))
                    }
                }

                func score(_ words: Set<String>) -> Double {
                    words.reduce(0) { $0 + Self.score($1, a) * 3 + Self.score($1, b) }
                }

                private static func score(_ word: String, _ text: [String]) -> Double {
                    let count = text.count { $0 == word }
                    if count == 0 { return 0 }
                    let frequency = (0..<count).reduce(0.0) { sum, place in sum + 1 / Double(1 << place) }
                    return frequency * (0.5 + 0.5 * Double(count) / Double(text.count)) * (text.count == 1 ? 1.1 : 1)
                }
            }

            struct Search {
                var words: [String] = []
                var negated: [String] = []
                var phrases: [[String]] = []
                var p: Int?

                var text: String {
                    (words + negated.map { "-" + $0 } + phrases.map { "\\\"" + $0.joined(separator: " ") + "\\\"" })
                        .joined(separator: " ")
                }

                var filter: String { "{\"$text\":{\"$search\":\"\(text)\"}" + (p.map { ",\"p\":\($0)" } ?? "") + "}" }
                var terms: Set<String> { Set(words + phrases.joined()) }

                func finds(_ item: Item) -> Bool {
                    terms.contains(where: item.has) && !negated.contains(where: item.has)
                        && phrases.allSatisfy(item.has(phrase:)) && (p.map { $0 == item.p } ?? true)
                }
            }

            mutating func words(_ range: Range<Int>) -> [String] {
                (0..<Int.random(in: range, using: &random)).map { _ in
                    ["tea", "milk", "rum", "gin", "ale", "mead"].randomElement(using: &random) ?? "tea"
                }
            }

            mutating func item(_ id: Int) -> Item {
                Item(id: id, p: Int.random(in: 0..<3, using: &random), a: words(0..<5), b: words(0..<4))
            }

            mutating func search(withP: Bool) -> Search {
                var search = Search(
                    words: words(0..<3), negated: Int.random(in: 0..<3, using: &random) == 0 ? words(1..<3) : [])
                if Int.random(in: 0..<3, using: &random) == 0 { search.phrases = [words(2..<4)] }
                if withP || Int.random(in: 0..<3, using: &random) == 0 {
                    search.p = Int.random(in: 0..<3, using: &random)
                }
                return search
            }
        }

        static let indexes = [
            #"{"key":{"_fts":"text","_ftsx":1},"weights":{"t":3,"u":1},"default_language":"none"}"#,
            #"{"key":{"p":1,"_fts":"text","_ftsx":1},"weights":{"t":3,"u":1},"default_language":"none"}"#,
            #"{"key":{"_fts":"text","_ftsx":1},"weights":{"t":3,"$**":1},"default_language":"none"}"#,
        ]

        private func query(_ filter: String, sorted: Bool, carried: Bool) throws -> FindQuery {
            var query = FindQuery(filter: try Filter(compiling: json(filter), allowing: .query))
            query.carriesTextScore = carried
            if sorted {
                query.sort = try SortPattern(
                    compiling: json(#"{"s":{"$meta":"textScore"},"_id":1}"#), hasTextScore: true)
            }
            return query
        }

        /// In batches of a few.
        private func found(_ query: FindQuery, _ store: TestStore, _ batch: Int) async throws -> [Document] {
            let collection = try await store.collection()
            var run = QueryRun(query, on: collection)
            var documents: [Document] = []
            while !run.isExhausted { documents += try await store.engine.next(&run, count: batch) }
            return documents
        }

        @Test("random searches: the documents and scores that a look at every document gives", arguments: indexes)
        func sameDocuments(index: String) async throws {
            let seed = SeededGenerator.seed()
            print("MARTLET_SEED=\(seed)")
            var maker = Maker(random: SeededGenerator(seed: seed))
            let store = try TestStore.make()
            let items = (0..<Self.documents).map { maker.item($0) }
            try await store.engine.fill(items[..<100].map(\.document), into: try await store.collection())
            try await store.index(index)
            for item in items[100...] {
                _ = try await store.engine.withCollectionCreated(namespace()) {
                    collection async throws(StorageError) in
                    try await store.engine.insert(item.document, into: collection)
                }
            }
            try await store.checkKeys()
            for _ in 0..<Self.queries {
                let search = maker.search(withP: index.contains("\"p\""))
                let expected = items.filter(search.finds)
                let batch = [1, 7, Int.max].randomElement(using: &maker.random) ?? 1
                let plain = try await found(query(search.filter, sorted: false, carried: false), store, batch)
                #expect(
                    plain.compactMap { $0.int("_id") } == expected.map { Int64($0.id) },
                    "\(search) MARTLET_SEED=\(seed)")
                let scored = try await found(query(search.filter, sorted: true, carried: true), store, batch)
                try check(scored, expected, search, seed)
                let count = try await store.engine.count(
                    query(search.filter, sorted: false, carried: false), in: try await store.collection())
                #expect(Int(count) == expected.count, "count of \(search) MARTLET_SEED=\(seed)")
            }
        }

        private func check(
            _ scored: [Document], _ expected: [Maker.Item], _ search: Maker.Search, _ seed: UInt64
        ) throws {
            let scores = try scored.map { document in
                try #require(document.withRaw { raw in Array(raw).last?.value.double })
            }
            let byID = Dictionary(uniqueKeysWithValues: zip(scored.compactMap { $0.int("_id") }, scores))
            #expect(byID.count == expected.count, "\(search) MARTLET_SEED=\(seed)")
            for item in expected {
                let score = byID[Int64(item.id)] ?? -1
                #expect(abs(score - item.score(search.terms)) < 1e-9, "\(search) of \(item) MARTLET_SEED=\(seed)")
            }
            #expect(scores == scores.sorted(by: >), "\(search) MARTLET_SEED=\(seed)")
        }

        @Test(
            "writes by $text change what it finds, one or many, and leave the keys of the documents",
            arguments: [false, true])
        func writes(isInTransaction: Bool) async throws {
            let seed = SeededGenerator.seed()
            print("MARTLET_SEED=\(seed)")
            var maker = Maker(random: SeededGenerator(seed: seed))
            let store = try TestStore.make()
            try await store.index(Self.indexes[0])
            let items = (0..<60).map { maker.item($0) }
            try await store.engine.fill(items.map(\.document), into: try await store.collection())
            for (round, _) in (0..<12).enumerated() {
                let search = maker.search(withP: false)
                let before = try await found(query(search.filter, sorted: false, carried: false), store, .max)
                let words = maker.words(0..<3).joined(separator: " ")
                let change = "{\"$set\":{\"t\":\"\(words)\",\"n\":\(round + 1)}}"
                let operation = DocumentOperation(
                    on: namespace(), filter: try Filter(compiling: json(search.filter), allowing: .query),
                    action: round % 4 == 3
                        ? .delete
                        : .update(try UpdateProgram(compiling: .document(json(change)), multi: true, isUpsert: false)))
                let tally = try await modify(operation, store, isMany: round % 2 == 0, isInTransaction)
                #expect(
                    Int(tally.matched) == (round % 2 == 0 ? before.count : min(before.count, 1)), "MARTLET_SEED=\(seed)"
                )
                try await store.checkKeys()
            }
        }

        private func modify(
            _ operation: DocumentOperation, _ store: TestStore, isMany: Bool, _ isInTransaction: Bool
        ) async throws -> WriteTally {
            let collection = try await store.collection()
            guard isInTransaction else {
                return isMany
                    ? try await store.engine.modifyMany(operation, in: collection, deadline: .never)
                    : WriteTally(try await store.engine.modifyOne(operation, in: collection, deadline: .never))
            }
            let transaction = try await OpenTransaction.open(on: store.engine.transactions.lanes, isolation: .snapshot)
            do {
                let tally =
                    isMany
                    ? try await transaction.modifyMany(operation, in: collection, deadline: .never)
                    : WriteTally(try await transaction.modifyOne(operation, in: collection, deadline: .never))
                try await transaction.commit(recording: [])
                return tally
            } catch {
                await transaction.abort()
                throw error
            }
        }

        @Test("$or with a $text: each document once, with its score where it has one")
        func alternatives() async throws {
            let store = try TestStore.make()
            try await store.index(Self.indexes[0], #"{"key":{"p":1}}"#)
            let collection = try await store.collection()
            try await store.engine.fill(
                [
                    json(#"{"_id":1,"t":"tea","p":1}"#), json(#"{"_id":2,"t":"rum","p":2}"#),
                    json(#"{"_id":3,"t":"tea","p":2}"#),
                    json(#"{"_id":4,"t":"gin","p":3}"#),
                ], into: collection)
            let either = #"{"$or":[{"$text":{"$search":"tea"}},{"p":2}]}"#
            let all = try await found(query(either, sorted: false, carried: false), store, 1)
            #expect(all.compactMap { $0.int("_id") } == [1, 2, 3])
            let best = try await found(query(either, sorted: true, carried: false), store, 1)
            #expect(best.compactMap { $0.int("_id") } == [1, 3, 2])
            #expect(try await store.engine.count(query(either, sorted: false, carried: false), in: collection) == 3)
            let unindexed = #"{"$or":[{"$text":{"$search":"tea"}},{"n":2}]}"#
            #expect(
                await errorCode { _ = try await found(query(unindexed, sorted: false, carried: false), store, 1) }
                    == 291)
        }

        @Test("without a text index, with a hidden one, and beside a hint or an order of the table")
        func refused() async throws {
            let store = try TestStore.make()
            let tea = #"{"$text":{"$search":"tea"}}"#
            _ = try await store.collection()
            #expect(await errorCode { _ = try await found(query(tea, sorted: false, carried: false), store, 1) } == 27)
            let operation = DocumentOperation(
                on: namespace(), filter: try Filter(compiling: json(tea), allowing: .query), action: .delete)
            #expect(await errorCode { _ = try await modify(operation, store, isMany: true, false) } == 27)
            #expect(await errorCode { _ = try await modify(operation, store, isMany: false, true) } == 27)
            try await store.index(#"{"key":{"_fts":"text","_ftsx":1},"weights":{"t":1},"hidden":true}"#)
            #expect(await errorCode { _ = try await found(query(tea, sorted: false, carried: false), store, 1) } == 291)
            let visible = try TestStore.make()
            try await visible.index(Self.indexes[0])
            var hinted = try query(tea, sorted: false, carried: false)
            hinted.hint = .name("index0")
            #expect(await errorCode { _ = try await found(hinted, visible, 1) } == 2)
            var natural = try query(tea, sorted: false, carried: false)
            natural.sort = try SortPattern(compiling: json(#"{"$natural":1}"#))
            natural.wantsNaturalOrder = true
            #expect(await errorCode { _ = try await found(natural, visible, 1) } == 2)
        }
    }
}
