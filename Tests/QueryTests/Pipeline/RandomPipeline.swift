import BSON
import CommandModel

@testable import Query

/// Stages and documents of few names and values, so that they meet.
struct RandomPipeline {
    var random: SeededGenerator
    /// Whether stages may read the collection `f`.
    var readsOthers = false
    private var isNested = false

    init(random: SeededGenerator, readsOthers: Bool = false) {
        (self.random, self.readsOthers) = (random, readsOthers)
    }

    mutating func pipeline(_ lengths: ClosedRange<Int>) -> String {
        "[\((0..<Int.random(in: lengths, using: &random)).map { _ in stage() }.joined(separator: ", "))]"
    }

    private mutating func pick(_ texts: [String]) -> String { texts.randomElement(using: &random) ?? "" }

    private mutating func field() -> String { pick(["a", "b", "b.c", "d", "_id", "e.f.g", "a.c"]) }

    private mutating func expression() -> String {
        let (field, other) = (field(), field())
        return pick([
            #""$\#(field)""#, #"{"x": "$\#(field)", "y": 1}"#, #"["$\#(field)", "$d"]"#, #""$$ROOT""#,
            #""$$CURRENT.\#(field)""#, #"{"$getField": "a"}"#,
            #"{"$getField": {"field": "b", "input": "$$ROOT"}}"#,
            #"{"$cond": [{"$gt": ["$\#(field)", 1]}, "$\#(other)", "$$REMOVE"]}"#, #"{"$add": ["$d", 1]}"#,
            #"{"$divide": [6, "$d"]}"#, #"{"$let": {"vars": {"v": "$\#(field)"}, "in": "$$v.c"}}"#,
            #"{"$map": {"input": {"$ifNull": ["$a", []]}, "in": ["$$this", "$\#(field)"]}}"#,
            #"{"$let": {"vars": {"CURRENT": "$b"}, "in": "$c"}}"#, #"{"$size": "$a"}"#,
            #"{"$mergeObjects": ["$b", {"z": "$\#(field)"}]}"#, #"{"$literal": 3}"#,
            #"{"$setField": {"field": "q", "input": "$b", "value": "$\#(field)"}}"#,
        ])
    }

    private mutating func filter() -> String {
        let (field, number) = (field(), Int.random(in: 0...4, using: &random))
        return pick([
            #"{"\#(field)": \#(number)}"#, #"{"\#(field)": {"$gt": \#(number)}}"#, #"{"\#(field)": null}"#,
            #"{"$or": [{"\#(field)": 1}, {"d": 2}]}"#, #"{"$nor": [{"\#(field)": 1}]}"#, #"{"d": {"$ne": 0}}"#,
            #"{"$expr": {"$gt": ["$\#(field)", 1]}}"#, "{}", #"{"\#(field)": {"$exists": true}}"#,
            #"{"\#(field)": {"$size": 2}}"#, #"{"a.0": \#(number)}"#, #"{"b.c.1": 2, "d": {"$lt": 3}}"#,
            #"{"$expr": \#(expression())}"#, #"{"\#(field)": {"$in": [1, null, [1, 2]]}, "x": {"$ne": 7}}"#,
            #"{"x": \#(number), "\#(field)": {"$lte": 3}}"#, #"{"d": {"$ne": 0}, "$expr": \#(expression())}"#,
            #"{"a": {"$elemMatch": {"c": 1}}}"#, #"{"e.f": {"$type": "object"}}"#,
        ])
    }

    /// A pipeline within a stage, which has no such stages itself.
    private mutating func inner() -> String {
        isNested = true
        defer { isNested = false }
        return pipeline(0...2)
    }

    mutating func stage() -> String {
        switch Int.random(in: 0..<8, using: &random) {
        case 0 where !isNested: nestingStage()
        case 1: gapStage()
        case 2 where !isNested && readsOthers: foreignStage()
        default: plainStage()
        }
    }

    private mutating func nestingStage() -> String {
        #"{"$facet": {"a": \#(inner()), "\#(pick(["b", "d", "x"]))": \#(inner())}}"#
    }

    private mutating func gapStage() -> String {
        let (field, other) = (field(), pick(["a", "b.c", "d", "x"]))
        return pick([
            #"{"$densify": {"field": "d", "range": {"step": 1, "bounds": "full"}}}"#,
            #"{"$densify": {"field": "d", "range": {"step": 2, "bounds": [0, 5]}}}"#,
            #"{"$densify": {"field": "d", "partitionByFields": ["\#(other)"], "#
                + #""range": {"step": 1, "bounds": "partition"}}}"#,
            #"{"$fill": {"output": {"\#(other)": {"value": "$\#(field)"}}}}"#,
            #"{"$fill": {"sortBy": {"_id": 1}, "output": {"\#(other)": {"method": "locf"}, "q": {"value": 7}}}}"#,
            #"{"$fill": {"partitionByFields": ["d"], "sortBy": {"_id": 1}, "output": {"a": {"method": "linear"}}}}"#,
            #"{"$setWindowFields": {"sortBy": {"d": 1, "_id": 1}, "output": {"\#(other)": {"$sum": "$\#(field)", "#
                + #""window": {"documents": [-1, 1]}}, "q": {"$rank": {}}}}}"#,
            #"{"$setWindowFields": {"sortBy": {"d": 1}, "output": {"x": {"$addToSet": "$\#(field)", "#
                + #""window": {"range": [-1, 0]}}, "\#(other)": {"$shift": {"output": "$\#(field)", "by": 1}}}}}"#,
            #"{"$bucketAuto": {"groupBy": \#(expression()), "buckets": 3, "output": {"d": {"$last": "$\#(field)"}}}}"#,
            #"{"$bucket": {"groupBy": "$d", "boundaries": [0, 1, 3], "default": "o", "#
                + #""output": {"a": {"$push": "$\#(field)"}}}}"#,
        ])
    }

    private mutating func foreignStage() -> String {
        let (field, other, inner) = (field(), field(), inner())
        let name = pick(["a", "b", "b.c", "x"])
        return pick([
            #"{"$unionWith": "f"}"#, #"{"$unionWith": {"coll": "f", "pipeline": \#(inner)}}"#,
            #"{"$lookup": {"from": "f", "localField": "\#(field)", "foreignField": "\#(other)", "as": "\#(name)"}}"#,
            #"{"$lookup": {"from": "f", "pipeline": \#(inner), "as": "\#(name)"}}"#,
            #"{"$lookup": {"from": "f", "localField": "\#(field)", "foreignField": "\#(other)", "#
                + #""pipeline": \#(inner), "as": "\#(name)"}}"#,
            #"{"$lookup": {"from": "f", "let": {"v": "$\#(field)"}, "as": "\#(name)", "#
                + #""pipeline": [{"$match": {"$expr": {"$gte": ["$d", "$$v"]}}}]}}"#,
            #"{"$graphLookup": {"from": "f", "startWith": "$\#(field)", "connectFromField": "d", "#
                + #""connectToField": "\#(other)", "as": "\#(name)", "maxDepth": 1}}"#,
            #"{"$graphLookup": {"from": "f", "startWith": "$d", "connectFromField": "\#(field)", "#
                + #""connectToField": "d", "as": "x", "depthField": "q", "restrictSearchWithMatch": \#(filter())}}"#,
        ])
    }

    private mutating func plainStage() -> String {
        let (field, other, number) = (field(), field(), Int.random(in: 1...9, using: &random))
        return pick([
            #"{"$match": \#(filter())}"#, #"{"$match": \#(filter())}"#, #"{"$match": \#(filter())}"#,
            #"{"$project": {"\#(field)": 1}}"#, #"{"$project": {"\#(field)": 0}}"#,
            #"{"$project": {"a.c": 1, "d": 1}}"#,
            #"{"$project": {"a": 1, "d": "$b", "x": \#(expression())}}"#, #"{"$project": {"_id": 0, "a": 1, "b": 1}}"#,
            #"{"$project": {"b.z": \#(expression()), "d": 1}}"#, #"{"$unset": ["\#(field)", "q"]}"#,
            #"{"$project": {"e": {"f": {"g": 1}}, "b.c": 1}}"#, #"{"$addFields": {"b.z": \#(expression())}}"#,
            #"{"$addFields": {"\#(field)": \#(number)}}"#, #"{"$addFields": {"x": "$d", "a": \#(expression())}}"#,
            #"{"$set": {"x": "$\#(field)"}}"#, #"{"$set": {}}"#,
            #"{"$replaceWith": {"a": "$\#(field)", "x": "$a", "_id": \#(number), "y": \#(expression())}}"#,
            #"{"$replaceRoot": {"newRoot": {"$mergeObjects": ["$$ROOT", {"x": "$\#(field)"}]}}}"#,
            #"{"$unwind": "$\#(field)"}"#, #"{"$unwind": "$a"}"#,
            #"{"$unwind": {"path": "$a", "includeArrayIndex": "\#(other)", "preserveNullAndEmptyArrays": true}}"#,
            #"{"$unwind": {"path": "$\#(field)", "preserveNullAndEmptyArrays": true}}"#,
            #"{"$limit": \#(number)}"#, #"{"$skip": \#(number / 2)}"#, #"{"$limit": \#(number)}"#,
            #"{"$sort": {"\#(field)": 1}}"#, #"{"$sort": {"d": -1, "_id": 1}}"#, #"{"$sort": {"x": 1, "d": -1}}"#,
            #"{"$group": {"_id": "$\#(field)", "a": {"$push": "$a"}, "d": {"$sum": 1}}}"#,
            #"{"$group": {"_id": \#(expression()), "x": {"$first": \#(expression())}, "b": {"$last": "$$ROOT"}}}"#,
            #"{"$group": {"_id": "$d", "a": {"$addToSet": "$\#(field)"}, "b": {"$max": \#(expression())}}}"#,
            #"{"$group": {"_id": "$d", "x": {"$top": {"sortBy": {"\#(field)": 1}, "output": "$\#(other)"}}}}"#,
            #"{"$setWindowFields": {"partitionBy": "$\#(field)", "sortBy": {"d": 1}, "#
                + #""output": {"\#(other)": {"$push": \#(expression())}}}}"#,
            #"{"$redact": {"$cond": [{"$eq": ["$c", 1]}, "$$PRUNE", "$$DESCEND"]}}"#,
            #"{"$bucketAuto": {"groupBy": "$d", "buckets": 2, "output": {"a": {"$push": "$\#(field)"}}}}"#,
            #"{"$sortByCount": "$\#(field)"}"#, #"{"$count": "n"}"#,
        ])
    }

    mutating func document(_ id: Int) -> Document {
        var fields = [#""_id": \#(id)"#]
        if Bool.random(using: &random) { fields.append(#""a": \#(value())"#) }
        if Bool.random(using: &random) { fields.append(#""b": {"c": \#(value()), "w": 1}"#) }
        if Bool.random(using: &random) { fields.append(#""e": {"f": \#(pick([#"{"g": 1, "h": 2}"#, "[]", "5"]))}"#) }
        fields.append(#""d": \#(Int.random(in: 0...3, using: &random))"#)
        if Bool.random(using: &random) { fields.append(#""b": \#(value())"#) }
        fields.shuffle(using: &random)
        return json("{\(fields.joined(separator: ", "))}")
    }

    private mutating func value() -> String {
        pick([
            "0", "1", "2", "1.0", "null", "[1, 2]", "[]", #"{"c": 1}"#, #"[{"c": 1, "w": 2}, {"c": 2}, 3]"#,
            #"[[{"c": 1}]]"#,
            #""text""#,
        ])
    }
}

func compile(_ pipeline: String) throws -> Pipeline {
    try json(#"{"pipeline": \#(pipeline)}"#).withRaw { document in
        try PipelineCompiler(in: .anyTime).compile(document["pipeline"]?.array ?? .none).pipeline
    }
}

/// What comes out of a pipeline.
func give(_ pipeline: Pipeline, _ documents: [Document], _ reader: MemoryReader? = nil) throws -> [String] {
    var documents = documents
    var limits = StageLimits()
    limits.reader = reader
    for stage in pipeline.stages { documents = try pass(documents, through: stage.makeRun(limits)) }
    return documents.map(\.text)
}

private func pass(_ documents: [Document], through stage: any StageRun) throws -> [Document] {
    let input = Batch(documents)
    var (position, result) = (0, [Document]())
    while position < input.count, !stage.isSatisfied {
        var output = Batch()
        try stage.process(input, from: &position, into: &output)
        result += output.documents
    }
    while true {
        var output = Batch()
        try stage.finish(into: &output)
        guard !output.isEmpty else { return result }
        result += output.documents
    }
}
