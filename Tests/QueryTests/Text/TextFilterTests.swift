import BSON
import CommandModel
import Testing

@testable import Query

@Suite("$text")
struct TextFilterTests {
    private func filter(_ text: String, _ index: IndexDefinition) throws -> Filter {
        try Filter(compiling: json(text), environment: .anyTime, allowing: .query).bound(
            to: index, trustingTerms: false)
    }

    private func matches(_ search: String, _ content: String, _ options: String = "") throws -> Bool {
        let index = try textIndex(#""key":{"c":"text"}"#)
        let text = Document { builder in
            builder.beginDocument("$text")
            builder.append("$search", string: search)
            json("{\(options)}").withRaw { for field in $0 { builder.append(field) } }
            builder.end()
        }
        let filter = try Filter(compiling: text, allowing: .text).bound(to: index, trustingTerms: false)
        return try filter.matches(Document { $0.append("c", string: content) })
    }

    @Test(
        "one of the words, all phrases, nothing negated",
        arguments: [
            ("coffee", "Coffee is a drink", true), ("coffee python", "python", true), ("the", "the fox", false),
            ("", "x", false), ("  ", "x", false), ("well-known", "well done", true),
            ("hello\u{0}world", "hello world", true),
            ("\"brown fox\"", "the brown fox", true), ("\"brown fox\"", "brown dog and fox", false),
            ("\"brown fox\" quick", "brown fox jumps", true), ("\"brown fox\" quick", "quick rabbit", false),
            ("\"brown fox\" \"red dog\"", "red dog", false), ("\"brown fox\" \"red dog\"", "red dog brown fox", true),
            ("fox -brown", "brown fox", false), ("fox -brown", "red fox", true), ("-fox -dog", "cat", false),
            ("fox - brown", "brown fox", true), ("fox -red-brown", "brown fox", false),
            ("fox red-brown", "brown fox", true),
            ("fox -\"red brown\"", "brown red fox", true), ("fox -\"red brown\"", "red brown fox", false),
            ("\"brown fox", "a fox", true), ("\"\"", "x", false), ("running", "I run", true),
            ("blue", "blueberries", false),
            ("-\"", "x", false), ("\"FOX\"", "fox", true), ("\"café\"", "CAFE", true),
        ])
    func semantics(_ search: String, _ content: String, _ expected: Bool) throws {
        #expect(try matches(search, content) == expected)
    }

    @Test(
        "case and diacritics, and the language of the search",
        arguments: [
            ("Coffee", "coffee", #""$caseSensitive":true"#, false),
            ("Coffee", "Coffee", #""$caseSensitive":true"#, true),
            ("cafe", "café", #""$diacriticSensitive":true"#, false),
            ("café", "Café", #""$diacriticSensitive":true"#, true),
            ("Cafe", "Café", #""$caseSensitive":true,"$diacriticSensitive":false"#, true),
            ("fox -Red", "red fox", #""$caseSensitive":true"#, true),
            ("\"Red fox\"", "red fox", #""$caseSensitive":true"#, false),
            ("running", "run", #""$language":"none""#, false), ("running", "run", #""$language":"""#, true),
        ])
    func sensitivity(_ search: String, _ content: String, _ options: String, _ expected: Bool) throws {
        #expect(try matches(search, content, options) == expected)
    }

    @Test(
        "arguments and places that are refused",
        arguments: [
            (#"{"$text":1}"#, 2), (#"{"$text":{}}"#, 4), (#"{"$text":{"$search":1}}"#, 14),
            (#"{"$text":{"$search":"x","$language":1}}"#, 14), (#"{"$text":{"$search":"x","$language":"xx"}}"#, 2),
            (#"{"$text":{"$search":"x","$caseSensitive":1}}"#, 14),
            (#"{"$text":{"$search":"x","$diacriticSensitive":1}}"#, 14),
            (#"{"$text":{"$search":"x","y":1}}"#, 2), (#"{"$nor":[{"$text":{"$search":"x"}}]}"#, 2),
            (#"{"$and":[{"$text":{"$search":"x"}},{"$text":{"$search":"y"}}]}"#, 2),
            (#"{"a":{"$elemMatch":{"$text":{"$search":"x"}}}}"#, 2), (#"{"a":{"$text":{"$search":"x"}}}"#, 2),
            (#"{"$text":{"$search":"x"},"l":{"$near":[1,2]}}"#, 2),
            (#"{"l":{"$near":[1,2]},"$text":{"$search":"x"}}"#, 2),
        ] as [(String, Int32)])
    func refused(_ text: String, _ code: Int32) {
        #expect(errorCode { _ = try Filter(compiling: json(text), environment: .anyTime, allowing: .query) } == code)
    }

    @Test("where no index can serve it, and with more words than one query may look for")
    func places() throws {
        #expect(errorCode { _ = try Filter(compiling: json(#"{"$text":{"$search":"x"}}"#)) } == 224)
        let many = (0..<20_000).map { String($0, radix: 36) }.joined(separator: " ")
        let index = try textIndex(#""key":{"c":"text"}"#)
        #expect(errorCode { _ = try filter("{\"$text\":{\"$search\":\"\(many)\"}}", index) } == 2)
        // Nobody knows the index yet.
        let unbound = try Filter(compiling: json(#"{"$text":{"$search":"x"}}"#), allowing: .text)
        #expect(try !unbound.matches(json(#"{"c":"x"}"#)))
    }

    @Test("it stands beside other conditions, and a partial index has no other documents")
    func conditions() throws {
        let index = try textIndex(#""key":{"c":"text"},"partialFilterExpression":{"n":{"$gt":1}}"#)
        let both = try filter(#"{"$or":[{"$text":{"$search":"tea"}},{"n":0}]}"#, index)
        let cases = [(#"{"c":"tea","n":2}"#, true), (#"{"c":"tea","n":1}"#, false), (#"{"n":0}"#, true)]
        for (document, expected) in cases { #expect(try both.matches(json(document)) == expected, "\(document)") }
    }

    // MARK: plans

    private func plan(_ text: String, _ indexes: [String]) throws -> String {
        let candidates = try indexes.enumerated().map { number, fields in
            let definition = try IndexSpecification(json("{\"name\":\"i\(number)\",\(fields)}"), for: IndexTarget())
                .definition
            return IndexCandidate(definition: definition, facts: IndexFacts())
        }
        let index = try #require(candidates.first { $0.definition.isText })
        let request = PlanRequest(try filter(text, index.definition))
        func name(_ scan: IndexScan) -> String {
            "i\(scan.position):\(scan.bounds.intervals.count)" + (scan.bounds.isExact ? " exact" : "")
        }
        return switch try IndexPlanner(candidates).plan(request) {
        case .text(let scan): "text " + name(scan)
        case .textUnion(let scans): "union " + scans.map(name).joined(separator: " ")
        case .nothing: "nothing"
        case .collection, .index, .union: "another"
        }
    }

    @Test(
        "by the text index alone, with one value for each field before the text",
        arguments: [
            (#"{"$text":{"$search":"tea milk"}}"#, #""key":{"c":"text"}"#, "text i1:2 exact"),
            (#"{"$text":{"$search":"tea -milk"}}"#, #""key":{"c":"text"}"#, "text i1:1"),
            (#"{"$text":{"$search":"tea"},"a":1}"#, #""key":{"c":"text"}"#, "text i1:1"),
            (#"{"$text":{"$search":"the"}}"#, #""key":{"c":"text"}"#, "nothing"),
            (#"{"$text":{"$search":"tea"},"p":1}"#, #""key":{"p":1,"c":"text"}"#, "text i1:1"),
            (#"{"$and":[{"p":1},{"$text":{"$search":"tea"}}]}"#, #""key":{"p":-1,"c":"text"}"#, "text i1:1"),
            (#"{"$or":[{"$text":{"$search":"tea"}}]}"#, #""key":{"c":"text"}"#, "text i1:1 exact"),
            (#"{"$or":[{"$text":{"$search":"tea"}},{"a":1}]}"#, #""key":{"c":"text"}"#, "union i1:1 exact i0:1 exact"),
            (#"{"p":2,"$or":[{"$text":{"$search":"tea"}},{"a":1}]}"#, #""key":{"p":1,"c":"text"}"#, "union i1:1 i0:1"),
        ])
    func plans(_ filter: String, _ index: String, _ expected: String) throws {
        #expect(try plan(filter, [#""key":{"a":1}"#, index]) == expected)
    }

    @Test(
        "without them there is no plan",
        arguments: [
            (#"{"$text":{"$search":"tea"}}"#, #""key":{"p":1,"c":"text"}"#),
            (#"{"$text":{"$search":"tea"},"p":{"$gt":1}}"#, #""key":{"p":1,"c":"text"}"#),
            (#"{"$or":[{"$text":{"$search":"tea"}},{"z":1}]}"#, #""key":{"c":"text"}"#),
            (#"{"$text":{"$search":"tea"}}"#, #""key":{"c":"text"},"partialFilterExpression":{"n":1}"#),
        ])
    func noPlans(_ filter: String, _ index: String) throws {
        #expect(errorCode { _ = try plan(filter, [#""key":{"a":1}"#, index]) } == 291)
    }

    @Test("no other condition is answered by a text index")
    func otherConditions() throws {
        let index = try textIndex(#""key":{"p":1,"c":"text"}"#)
        let candidate = IndexCandidate(definition: index, facts: IndexFacts())
        let request = PlanRequest(try Filter(compiling: json(#"{"p":1,"c":"x"}"#)))
        guard case .collection = try IndexPlanner([candidate]).plan(request) else {
            Issue.record("not by the collection")
            return
        }
    }

    // MARK: scores

    @Test("the score goes along with documents, and no further than to whoever asks for it")
    func metadata() throws {
        let text = #"""
            [{"$match":{"$text":{"$search":"tea"}}},{"$addFields":{"whole":"$$ROOT"}},
             {"$project":{"c":1,"whole":1}},{"$replaceRoot":{"newRoot":{"was":"$$ROOT"}}},
             {"$sort":{"s":{"$meta":"textScore"}}},{"$set":{"score":{"$meta":"textScore"}}}]
            """#
        let pipeline = try compile(text).optimized()
        #expect(pipeline.carriesTextScore)
        let scored = json(#"{"_id":1,"c":"tea"}"#).withRaw {
            TextScore.withDocument($0, scoring: 2.5, Document.init(copying:))
        }
        let behind = Pipeline(Array(pipeline.stages.dropFirst()))
        #expect(
            try give(behind, [scored]) == [#"{"was":{"_id":1,"c":"tea","whole":{"_id":1,"c":"tea"}},"score":2.5}"#])
    }

    @Test(
        "a pipeline without $text at its front has no score, and none behind a group",
        arguments: [
            (#"[{"$project":{"s":{"$meta":"textScore"}}}]"#, 40218),
            (#"[{"$sort":{"s":{"$meta":"textScore"}}}]"#, 40218),
            (
                #"[{"$match":{"$text":{"$search":"x"}}},{"$group":{"_id":1}},{"$set":{"s":{"$meta":"textScore"}}}]"#,
                40218
            ),
            (#"[{"$limit":1},{"$match":{"$text":{"$search":"x"}}}]"#, 17313),
            (#"[{"$facet":{"a":[{"$match":{"$text":{"$search":"x"}}}]}}]"#, 17313),
            (#"[{"$match":{"$text":{"$search":"x"}}},{"$match":{"$text":{"$search":"x"}}}]"#, 17313),
        ] as [(String, Int32)])
    func refusedMetadata(_ text: String, _ code: Int32) {
        #expect(errorCode { _ = try compile(text) } == code)
    }
}
