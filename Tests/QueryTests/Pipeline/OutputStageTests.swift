import BSON
import CommandModel
import Testing

@testable import Query

/// `$out` and `$merge`: what they say, and what a `$merge` makes of one document.
@Suite struct OutputStageTests {
    private func output(
        _ pipeline: String, writingFrom database: String? = "db", variables: String = "{}"
    ) throws -> PipelineOutput? {
        var environment = ExpressionEnvironment(now: 0)
        try environment.define(json(variables))
        let compiler = PipelineCompiler(in: environment, writingFrom: database)
        // Extended JSON has no arrays at the top.
        let stages = json(#"{"p": \#(pipeline)}"#)
        return try stages.withRaw { raw in try compiler.compile(raw["p"]?.array ?? raw).output }
    }

    private func merge(_ specification: String, variables: String = "{}") throws -> Merge {
        guard case .merge(let merge)? = try output(#"[{"$merge": \#(specification)}]"#, variables: variables) else {
            throw CommandError(.badValue, "no $merge")
        }
        return merge
    }

    @Test(
        "$out and $merge name a collection, of the command's database unless they say another",
        arguments: [
            (#"{"$out": "c"}"#, "db.c"),
            (#"{"$out": {"db": "d", "coll": "c.x"}}"#, "d.c.x"),
            (#"{"$out": {"db": "d", "coll": "c", "timeseries": null}}"#, "d.c"),
            (#"{"$merge": "c"}"#, "db.c"),
            (#"{"$merge": {"into": "c"}}"#, "db.c"),
            (#"{"$merge": {"into": {"coll": "c"}}}"#, "db.c"),
            (#"{"$merge": {"into": {"db": null, "coll": "c"}}}"#, "db.c"),
            (#"{"$merge": {"into": {"db": "", "coll": "c"}}}"#, "db.c"),
            (#"{"$merge": {"into": {"db": "d", "coll": "c"}}}"#, "d.c"),
        ])
    func target(_ stage: String, _ expected: String) throws {
        #expect(try output(#"[{"$match": {"a": 1}}, \#(stage)]"#)?.target.description == expected)
    }

    @Test(
        "they are the last stage, of a command only",
        arguments: [
            (#"[{"$out": "c"}, {"$match": {}}]"#, 40601),
            (#"[{"$merge": "c"}, {"$out": "c"}]"#, 40601),
            (#"[{"$out": "c"}, {"$out": "c"}]"#, 40601),
        ] as [(String, Int32)])
    func position(_ pipeline: String, _ code: Int32) {
        #expect(errorCode { _ = try output(pipeline) } == code)
        #expect(errorCode { _ = try output(#"[{"$out": "c"}]"#, writingFrom: nil) } == 72)
        #expect(errorCode { _ = try output(#"[{"$merge": "c"}]"#, writingFrom: nil) } == 72)
    }

    @Test(
        "$out refuses what it cannot write",
        arguments: [
            ("1", 16990), ("null", 16990), (#"["c"]"#, 16990),
            (#""""#, 73), (#"".c""#, 73), (#""a\u0000b""#, 73), (#""system.x""#, 17385), (#""$c""#, 20),
            (#""\#(String(repeating: "é", count: 127))""#, 20),
            (#"{"coll": "c"}"#, 40414), (#"{"db": "d"}"#, 40414), (#"{"db": null, "coll": "c"}"#, 40414),
            (#"{"db": 1, "coll": "c"}"#, 14), (#"{"db": "d", "coll": 1}"#, 14),
            (#"{"db": "d", "coll": "c", "timeseries": 1}"#, 14), (#"{"db": "d", "coll": "c", "x": 1}"#, 40415),
            (#"{"db": "d", "coll": "c", "coll": "c"}"#, 40413),
            (#"{"db": "a.b", "coll": "c"}"#, 73), (#"{"db": "admin", "coll": "c"}"#, 31321),
            (#"{"db": "local", "coll": "c"}"#, 31321),
        ] as [(String, Int32)])
    func outRefused(_ specification: String, _ code: Int32) {
        #expect(errorCode { _ = try output(#"[{"$out": \#(specification)}]"#) } == code)
    }

    @Test(
        "$merge refuses what it does not understand",
        arguments: [
            ("1", 14), ("null", 14), (#""""#, 73), ("{}", 40414), (#"{"into": 1}"#, 51178),
            (#"{"into": ""}"#, 5_786_800),
            (#"{"into": {"coll": null}}"#, 5_786_801), (#"{"into": {"coll": 1}}"#, 14),
            (#"{"into": {"coll": "c", "x": 1}}"#, 40415), (#"{"into": {"db": 1, "coll": "c"}}"#, 14),
            (#"{"into": "system.x"}"#, 31319), (#"{"into": {"db": "config", "coll": "c"}}"#, 31320),
            (#"{"into": "c", "x": 1}"#, 40415), (#"{"into": "c", "on": 1}"#, 51186),
            (#"{"into": "c", "on": null}"#, 51186),
            (#"{"into": "c", "on": []}"#, 51187), (#"{"into": "c", "on": [1]}"#, 51134),
            (#"{"into": "c", "on": ["a", "a"]}"#, 31465), (#"{"into": "c", "on": ""}"#, 40352),
            (#"{"into": "c", "on": "a."}"#, 40353), (#"{"into": "c", "on": ".a"}"#, 15998),
            (#"{"into": "c", "on": "$a"}"#, 16410), (#"{"into": "c", "on": "a\u0000"}"#, 16411),
            (#"{"into": "c", "whenMatched": null}"#, 51191), (#"{"into": "c", "whenMatched": "Merge"}"#, 2),
            (#"{"into": "c", "whenMatched": [1]}"#, 14), (#"{"into": "c", "whenNotMatched": 1}"#, 14),
            (#"{"into": "c", "whenNotMatched": "x"}"#, 2), (#"{"into": "c", "let": 1, "whenMatched": []}"#, 14),
            (#"{"into": "c", "let": {}}"#, 51199), (#"{"into": "c", "let": {"new": "$a"}, "whenMatched": []}"#, 51273),
            (#"{"into": "c", "let": {"$v": 1}, "whenMatched": []}"#, 9),
            (#"{"into": "c", "let": {"v": "$$w"}, "whenMatched": []}"#, 17276),
            (#"{"into": "c", "whenMatched": "keepExisting", "whenNotMatched": "discard"}"#, 51181),
            (#"{"into": "c", "whenMatched": "keepExisting", "whenNotMatched": "fail"}"#, 51181),
            (#"{"into": "c", "whenMatched": "fail", "whenNotMatched": "discard"}"#, 51181),
            (#"{"into": "c", "whenMatched": "fail", "whenNotMatched": "fail"}"#, 51181),
        ] as [(String, Int32)])
    func mergeRefused(_ specification: String, _ code: Int32) {
        #expect(errorCode { _ = try output(#"[{"$merge": \#(specification)}]"#) } == code)
    }

    /// What `new` makes of a document, and what is inserted where there is none.
    private func merged(
        _ mode: String, _ new: String, over old: String, let variables: String? = nil, of command: String = "{}"
    ) throws -> (updated: String, inserted: String) {
        let bindings = variables.map { #", "let": \#($0)"# } ?? ""
        let merge = try merge(#"{"into": "c", "whenMatched": \#(mode)\#(bindings)}"#, variables: command)
        guard let update = try merge.update(by: json(new)) else { return ("", json(new).text) }
        let old = json(old)
        let updated = try old.withRaw { try update.apply(to: $0, filter: .everything) } ?? old
        let inserted =
            merge.insertsAsGiven
            ? json(new) : try update.insertedDocument(filter: .everything, newID: ObjectID(high: 0, low: 0))
        return (updated.text, inserted.text)
    }

    @Test(
        "a document that is there is replaced, kept, or gets the fields of the new one",
        arguments: [
            (#""replace""#, #"{"_id":1,"z":1,"a":2}"#, #"{"_id":1,"z":1,"a":2}"#),
            (#""merge""#, #"{"_id":1,"b":3,"a":2,"c":{"d":1},"z":1}"#, #"{"_id":1,"a":2,"z":1}"#),
            (#""keepExisting""#, #"{"_id":1,"b":3,"a":1,"c":{"d":1}}"#, #"{"_id":1,"a":2,"z":1}"#),
            (
                #"[{"$set": {"a": {"$add": ["$a", "$$new.a"]}}}]"#, #"{"_id":1,"b":3,"a":3,"c":{"d":1}}"#,
                #"{"_id":1,"z":1,"a":2}"#
            ),
            (#"[{"$replaceWith": "$$new"}]"#, #"{"_id":1,"z":1,"a":2}"#, #"{"_id":1,"z":1,"a":2}"#),
            (
                #"[{"$fill": {"output": {"e": {"value": 5}}}}]"#, #"{"_id":1,"b":3,"a":1,"c":{"d":1},"e":5}"#,
                #"{"_id":1,"z":1,"a":2}"#
            ),
            ("[]", #"{"_id":1,"b":3,"a":1,"c":{"d":1}}"#, #"{"_id":1,"z":1,"a":2}"#),
        ])
    func modes(_ mode: String, _ updated: String, _ inserted: String) throws {
        let result = try merged(
            mode, #"{"_id": 1, "z": 1, "a": 2}"#, over: #"{"_id": 1, "b": 3, "a": 1, "c": {"d": 1}}"#)
        #expect(result.updated == updated)
        #expect(result.inserted == inserted)
    }

    @Test("variables are computed of the new document, and hide those of the command")
    func variables() throws {
        let result = try merged(
            #"[{"$set": {"v": "$$v", "w": "$$w", "n": "$$new.a"}}]"#, #"{"_id": 1, "a": 2}"#, over: #"{"_id": 1}"#,
            let: #"{"v": {"$add": ["$a", "$$u"]}, "new": "$$ROOT"}"#, of: #"{"u": 10, "v": 0, "w": 5}"#)
        #expect(result.updated == #"{"_id":1,"v":12,"w":5,"n":2}"#)
    }

    @Test(
        "what a pipeline of $merge must not hold, or names and is not there, is told for each document",
        arguments: [
            (#"[{"$match": {"a": 1}}]"#, #"{}"#, 72), (#"[{"$group": {"_id": null}}]"#, #"{}"#, 72),
            (#"[{"$documents": []}]"#, #"{}"#, 72), (#"[{"$out": "c"}]"#, #"{}"#, 72),
            (#"[{"$set": {"a": "$$v"}}]"#, #"{"v": "$missing"}"#, 17276),
            (#"[{"$set": {"_id": 2}}]"#, #"{}"#, 66),
        ] as [(String, String, Int32)])
    func pipelineRefused(_ pipeline: String, _ variables: String, _ code: Int32) throws {
        #expect(
            errorCode { _ = try merge(#"{"into": "c", "whenMatched": \#(pipeline), "let": \#(variables)}"#) } == nil)
        #expect(
            errorCode { _ = try merged(pipeline, #"{"_id": 1}"#, over: #"{"_id": 1}"#, let: variables) } == code)
    }

    @Test(
        "no document is found by an array",
        arguments: [
            (#"{"_id": 1, "a": {"b": 1}}"#, nil), (#"{"_id": 1}"#, nil), (#"{"_id": 1, "a": [{"b": 1}]}"#, 51185),
            (#"{"_id": 1, "a": {"b": [1]}}"#, 51185), (#"{"_id": [1], "a": {"b": 1}}"#, 51185),
        ] as [(String, Int32?)])
    func arrays(_ document: String, _ code: Int32?) throws {
        let merge = try merge(#"{"into": "c", "on": ["_id", "a.b"]}"#)
        #expect(errorCode { try json(document).withRaw { try merge.check($0, isSparse: false) } } == code)
    }

    @Test(
        "a document that a sparse index may not hold finds nothing",
        arguments: [
            (#"{"a": {"b": 1}, "c": 2}"#, nil), (#"{"a": {"b": null}, "c": 2}"#, 51132), (#"{"a": {"b": 1}}"#, 51132),
            (#"{"a": {"b": {"$undefined": true}}, "c": 2}"#, 51132), (#"{"a": 1, "c": 1}"#, 51132),
            (#"{"a": {"b": []}, "c": 2}"#, 51185),
        ] as [(String, Int32?)])
    func sparse(_ document: String, _ code: Int32?) throws {
        let merge = try merge(#"{"into": "c", "on": ["a.b", "c"]}"#)
        #expect(errorCode { try json(document).withRaw { try merge.check($0, isSparse: true) } } == code)
    }

    @Test(
        "a document finds one with its values; what it lacks is null",
        arguments: [
            (#"{"a": {"b": 1}, "c": "x"}"#, #"{"a": {"b": 1.0}, "c": "x"}"#, true),
            (#"{"a": {"b": 1}, "c": "x"}"#, #"{"a": {"b": 1}, "c": "X"}"#, false),
            (#"{"_id": 5, "c": null}"#, #"{"_id": 6}"#, true), (#"{}"#, #"{"a": {"b": null}}"#, true),
            (#"{"a": {"b": 1}}"#, #"{"a": {"b": 2}}"#, false),
            (#"{"a": {"b": {"x": 1, "y": 2}}}"#, #"{"a": {"b": {"y": 2, "x": 1}}}"#, false),
            (
                #"{"a": {"b": {"$regularExpression": {"pattern": "x", "options": ""}}}}"#, #"{"a": {"b": "x"}}"#, false
            ),
        ])
    func filter(_ new: String, _ old: String, _ isFound: Bool) throws {
        let merge = try merge(#"{"into": "c", "on": ["c", "a.b"]}"#)
        let filter = try json(new).withRaw { try merge.filter(finding: $0) }
        #expect(try json(old).withRaw { try filter.matches($0) } == isFound)
    }
}
