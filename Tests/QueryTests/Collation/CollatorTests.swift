import BSON
import CommandModel
import Testing

@testable import Query

/// Order, equality and keys of values under collators, and what is compiled with one.
@Suite struct CollatorTests {
    private static let insensitive = #"{"locale": "en", "strength": 2}"#
    private static let baseLetters = #"{"locale": "en", "strength": 1}"#

    @Test(
        "text in the order of a language",
        arguments: [
            (#"{"locale": "en"}"#, ["a", "A", "b", "B", "z"]),
            (#"{"locale": "en", "caseFirst": "upper"}"#, ["A", "a", "B", "b"]),
            (#"{"locale": "en", "numericOrdering": true}"#, ["a1", "a2", "a10", "a100"]),
            (#"{"locale": "sv"}"#, ["a", "z", "\u{e5}", "\u{e4}", "\u{f6}"]),
            (#"{"locale": "de"}"#, ["a", "\u{e4}", "b"]),
            (#"{"locale": "fr"}"#, ["cote", "cot\u{e9}", "c\u{f4}te"]),
            (#"{"locale": "fr_CA"}"#, ["cote", "c\u{f4}te", "cot\u{e9}"]),
            (#"{"locale": "en", "alternate": "shifted", "strength": 4}"#, ["a b", "a-b", "ab", "b"]),
        ])
    func order(_ collation: String, texts: [String]) throws {
        let collator = try #require(try collator(collation))
        for (left, right) in zip(texts, texts.dropFirst()) {
            #expect(collator.compare(left, right) < 0, "\(left) \(right)")
            #expect(collator.compare(right, left) > 0, "\(right) \(left)")
            #expect(collator.key(left).lexicographicallyPrecedes(collator.key(right)), "\(left) \(right)")
        }
    }

    private static let collations = [
        #"{"locale": "en", "strength": 1}"#, #"{"locale": "en", "strength": 2}"#, #"{"locale": "fr_CA"}"#,
        #"{"locale": "en", "strength": 5}"#, #"{"locale": "ja", "strength": 4, "numericOrdering": true}"#,
        #"{"locale": "en", "alternate": "shifted", "strength": 3, "caseLevel": true, "normalization": true}"#,
    ]

    @Test("keys compare as values do, and none begins another", arguments: collations)
    func keys(_ collation: String) throws {
        let order = ValueOrder(try collator(collation))
        let seed: UInt64 = 20_261_121
        var random = SeededGenerator(seed: seed)
        for round in 0..<1_500 {
            let (left, right) = (Self.value(&random, 2), Self.value(&random, 2))
            let context = "seed \(seed) round \(round): \(left.text) \(right.text)"
            left.withRaw { left in
                right.withRaw { right in
                    guard let left = left["v"], let right = right["v"] else { return }
                    let compared = order.compare(left, right).signum()
                    #expect(order.compare(right, left).signum() == -compared, "\(context)")
                    #expect(order.areEqual(left, right) == (compared == 0), "\(context)")
                    let keys = (order.key(of: left), order.key(of: right))
                    let byKey = keys.0 == keys.1 ? 0 : keys.0.lexicographicallyPrecedes(keys.1) ? -1 : 1
                    #expect(byKey == compared, "\(context)")
                    #expect(keys.0 == keys.1 || !keys.0.starts(with: keys.1), "\(context)")
                }
            }
        }
    }

    /// `{v: …}` with a text, a number, or these in documents and arrays.
    private static func value(_ random: inout SeededGenerator, _ depth: Int) -> Document {
        let letters = [
            "a", "A", "b", "\u{e9}", "e\u{301}", "1", "10", "-", " ", "\u{0}", "\u{1}", "\u{1f34e}", "\u{df}",
        ]
        func text() -> String {
            (0..<Int.random(in: 0...3, using: &random)).map { _ in letters.randomElement(using: &random) ?? "" }
                .joined()
        }
        return Document { builder in
            switch Int.random(in: 0..<(depth > 0 ? 10 : 8), using: &random) {
            case 0: builder.append("v", int32: Int32.random(in: 0...2, using: &random))
            case 1...7: builder.append("v", string: text())
            case 8:
                builder.beginArray("v")
                for index in 0..<Int.random(in: 0...2, using: &random) { builder.append(index: index, string: text()) }
                builder.end()
            default: builder.append("v", document: value(&random, depth - 1))
            }
        }
    }

    @Test("marks without end are compared in no time, and as their keys", arguments: ["vi", "th"])
    func marks(_ locale: String) throws {
        let collator = try #require(try collator(#"{"locale": "\#(locale)", "strength": 2}"#))
        let many = "a" + String(repeating: "\u{301}\u{316}", count: 60_000)
        let texts = ["a", "a\u{301}\u{316}", "a\u{316}\u{301}", many, many + "\u{301}", "b", many + many]
        for left in texts {
            for right in texts {
                let keys = (collator.key(left), collator.key(right))
                let byKey = keys.0 == keys.1 ? 0 : keys.0.lexicographicallyPrecedes(keys.1) ? -1 : 1
                #expect(collator.compare(left, right) == byKey)
            }
        }
        #expect(collator.compare(texts[1], texts[2]) == 0)
        #expect(collator.compare(many, many + "\u{301}") != 0)
    }

    @Test("a key ends with its only zero, however long the text")
    func keyEnd() throws {
        let collator = try #require(try collator(#"{"locale": "ja", "strength": 5}"#))
        for text in ["", "\u{0}", "a\u{0}b", String(repeating: "\u{1f34e}\u{0}z", count: 50_000)] {
            let key = collator.key(text)
            #expect(key.firstIndex(of: 0) == key.count - 1)
        }
    }

    @Test(
        "filters compare strings by the collator, at any depth, and nothing else",
        arguments: [
            (#"{"a": "APPLE"}"#, #"{"a": "apple"}"#, true), (#"{"a": "APPLE"}"#, #"{"a": ["x", "Apple"]}"#, true),
            (#"{"a": "APPLE"}"#, #"{"a": "apples"}"#, false), (#"{"a": "5"}"#, #"{"a": 5}"#, false),
            (#"{"a": {"$ne": "APPLE"}}"#, #"{"a": "apple"}"#, false), (#"{"a": {"$gt": "A"}}"#, #"{"a": "a"}"#, false),
            (#"{"a": {"$gte": "A"}}"#, #"{"a": "a"}"#, true), (#"{"a": {"$lt": "B"}}"#, #"{"a": "a"}"#, true),
            (#"{"a": {"$lt": "B"}}"#, #"{"a": 1}"#, false), (#"{"a": {"$lte": "B"}}"#, "{}", false),
            (#"{"a": {"$in": ["x", "B", 5, null]}}"#, #"{"a": "b"}"#, true),
            (#"{"a": {"$in": ["x", "B", 5, null]}}"#, #"{"a": 5.0}"#, true),
            (#"{"a": {"$in": ["x", "B", 5, null]}}"#, "{}", true),
            (
                #"{"a": {"$in": ["x", "B", {"$regularExpression": {"pattern": "Q", "options": ""}}]}}"#, #"{"a": "q"}"#,
                false
            ),
            (#"{"a": {"$nin": ["x", "B"]}}"#, #"{"a": "b"}"#, false),
            (#"{"a": {"$all": ["X", "Y"]}}"#, #"{"a": ["y", "x"]}"#, true),
            (#"{"a": {"$elemMatch": {"b": "X"}}}"#, #"{"a": [{"b": "x"}]}"#, true),
            (#"{"a": {"$elemMatch": {"$gte": "B"}}}"#, #"{"a": ["A", "b"]}"#, true),
            (#"{"a": {"b": ["X"]}}"#, #"{"a": {"b": ["x"]}}"#, true), (#"{"a": {"B": 1}}"#, #"{"a": {"b": 1}}"#, false),
            (#"{"a": ["X"]}"#, #"{"a": ["x"]}"#, true), (#"{"A": "x"}"#, #"{"a": "x"}"#, false),
            (#"{"a": {"$not": {"$eq": "X"}}}"#, #"{"a": "x"}"#, false),
            (#"{"$or": [{"a": "X"}]}"#, #"{"a": "x"}"#, true),
            (#"{"$nor": [{"a": "X"}, {"b": 1}]}"#, #"{"a": "x"}"#, false),
            (#"{"a": {"$regex": "^X"}}"#, #"{"a": "x"}"#, false),
            (#"{"a": {"$gt": {"$minKey": 1}}}"#, #"{"a": "x"}"#, true), (#"{"a": null}"#, "{}", true),
        ])
    func filter(_ filter: String, document: String, matches: Bool) throws {
        let filter = try Filter(compiling: json(filter), collator: try collator(Self.insensitive))
        #expect(json(document).withRaw { filter.matchesPlainly($0) } == matches)
    }

    @Test("a filter keeps its collator, and the positional index follows it")
    func position() throws {
        let filter = try Filter(compiling: json(#"{"a": "B"}"#), collator: try collator(Self.insensitive))
        #expect(try json(#"{"a": ["a", "b"]}"#).withRaw { try filter.match($0) } == .yes(arrayIndex: 1))
        let upsert = try UpdateProgram(compiling: json(#"{"$set": {"b": 1}}"#).value, isUpsert: true)
        let inserted = try upsert.insertedDocument(filter: filter, newID: ObjectID(high: 0, low: 0))
        #expect(inserted.withRaw { $0["a"]?.string } == "B")
    }

    @Test("sort and distinct follow the collator; of equal values the first is shown")
    func sortAndDistinct() throws {
        let collator = try collator(Self.baseLetters)
        let pattern = try SortPattern(compiling: json(#"{"a": 1, "b": -1}"#), collator: collator)
        func key(_ text: String) throws -> [UInt8] { try json(text).withRaw { try pattern.key(of: $0) } }
        #expect(try key(#"{"a": "B", "b": 1}"#) == key(#"{"a": ["z", "b"], "b": 1}"#))
        #expect(try key(#"{"a": "A", "b": "x"}"#).lexicographicallyPrecedes(key(#"{"a": "a", "b": "U"}"#)))
        var distinct = DistinctCollector(path: "a", order: ValueOrder(collator))
        for document in [#"{"a": "b"}"#, #"{"a": ["\u00e1", "B"]}"#, #"{"a": "A"}"#, #"{"a": 1}"#] {
            try json(document).withRaw { try distinct.add($0) }
        }
        #expect(distinct.sorted().map { $0.extendedJSON(.relaxed) } == ["1", "\"\u{e1}\"", "\"b\""])
    }

    @Test("$elemMatch in a projection follows the collator")
    func projection() throws {
        let projection = try Projection(
            compiling: json(#"{"a": {"$elemMatch": {"b": "X"}}}"#),
            environment: .none.collated(by: try collator(Self.insensitive)))
        var builder = DocumentBuilder()
        try json(#"{"a": [{"b": "w"}, {"b": "x"}]}"#).withRaw { try projection.write($0, into: &builder) }
        #expect(builder.finish().text == #"{"a":[{"b":"x"}]}"#)
    }

    @Test(
        "updates follow the collator where they compare, and keep bytes where they do not",
        arguments: [
            (#"{"$pull": {"a": "X"}}"#, #"{"a":["x","y"]}"#, #"{"a":["y"]}"#),
            (#"{"$pull": {"a": {"$gte": "X"}}}"#, #"{"a":["w","x","y"]}"#, #"{"a":["w"]}"#),
            (#"{"$pull": {"a": {"b": "X"}}}"#, #"{"a":[{"b":"x"},{"b":"z"}]}"#, #"{"a":[{"b":"z"}]}"#),
            (#"{"$pullAll": {"a": ["X", 1]}}"#, #"{"a":["x","y",1]}"#, #"{"a":["y"]}"#),
            (#"{"$addToSet": {"a": {"$each": ["X", "Z", "z"]}}}"#, #"{"a":["x"]}"#, #"{"a":["x","Z"]}"#),
            (#"{"$push": {"a": {"$each": ["b"], "$sort": 1}}}"#, #"{"a":["C","a"]}"#, #"{"a":["a","b","C"]}"#),
            (
                #"{"$push": {"a": {"$each": [], "$sort": {"b": -1}}}}"#, #"{"a":[{"b":"a"},{"b":"B"}]}"#,
                #"{"a":[{"b":"B"},{"b":"a"}]}"#
            ),
            (#"{"$min": {"a": "B"}}"#, #"{"a":"a"}"#, nil), (#"{"$max": {"a": "B"}}"#, #"{"a":"a"}"#, #"{"a":"B"}"#),
            (#"{"$set": {"a": "A"}}"#, #"{"a":"a"}"#, #"{"a":"A"}"#),
        ] as [(String, String, String?)])
    func update(_ update: String, before: String, after: String?) throws {
        let program = try UpdateProgram(
            compiling: json(update).value, environment: .none.collated(by: try collator(Self.insensitive)))
        let result = try json(before).withRaw { try program.apply(to: $0, filter: .everything) }
        #expect(result?.text == after)
    }

    @Test("array filters follow the collator, and _id does not change into an equal one")
    func arrayFilters() throws {
        let collator = try collator(Self.insensitive)
        let program = try UpdateProgram(
            compiling: json(#"{"$set": {"a.$[e]": "!"}}"#).value, arrayFilters: [json(#"{"e": "X"}"#)],
            environment: .none.collated(by: collator))
        let result = try json(#"{"a":["x","y"]}"#).withRaw { try program.apply(to: $0, filter: .everything) }
        #expect(result?.text == #"{"a":["!","y"]}"#)
        let replacement = try UpdateProgram(
            compiling: json(#"{"_id": "A"}"#).value, environment: .none.collated(by: collator))
        #expect(
            errorCode { _ = try json(#"{"_id":"a"}"#).withRaw { try replacement.apply(to: $0, filter: .everything) } }
                == 66)
    }

    @Test("a validator follows the collator of its collection")
    func validator() throws {
        let options = json(#"{"validator": {"a": {"$in": ["X", "Y"]}}}"#)
        let collator = try collator(Self.insensitive)
        for (collator, admits) in [(collator, true), (nil, false)] {
            let validator = try #require(
                try options.withRaw { try DocumentValidator(options: $0, collator: collator) })
            #expect(try json(#"{"a": "y"}"#).withRaw { try validator.admits($0, replacing: nil) } == admits)
        }
    }

    @Test("many values are looked up by keys under the collator")
    func valueIndex() throws {
        let texts = (0..<40).map { "\"x\($0)\"" }.joined(separator: ",")
        let document = json(#"{"a": [\#(texts)], "b": "X39", "c": "X40"}"#)
        let order = ValueOrder(try collator(Self.insensitive))
        try document.withRaw { raw in
            var meter = WorkMeter(nil)
            let index = try ValueIndex((raw["a"]?.array).map { $0.map(\.value) } ?? [], order, &meter)
            #expect(raw["b"].map(index.contains) == true)
            #expect(raw["c"].map(index.contains) == false)
        }
    }
}
