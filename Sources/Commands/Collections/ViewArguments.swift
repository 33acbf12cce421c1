internal import BSON
internal import CommandModel

// `viewOn` and `pipeline`, the same in `create` and `collMod`.

extension Argument {
    /// The name of the collection that a view reads.
    func viewSource() throws(CommandError) -> String {
        let source = try string()
        guard !source.isEmpty else {
            throw CommandError(.badValue, "'viewOn' cannot be empty")
        }
        return source
    }

    /// The stages of a view as they are kept: nulls stand for nothing. What a view's pipeline must not hold is refused;
    /// what its stages mean is checked where a pipeline is compiled.
    func viewPipeline() throws(CommandError) -> Value {
        var stages: [RawDocument] = []
        for stage in try array() where stage.value.type != .null {
            guard let document = stage.value.document else {
                throw CommandError.wrongType("\(name).\(stage.key.string)", stage.value, expected: "object")
            }
            stages.append(document)
        }
        try ViewPipeline.check(stages)
        return .array(
            Document { builder in
                for (index, stage) in stages.enumerated() {
                    builder.append(index: index, documentBytes: stage.bytes)
                }
            })
    }
}

/// What may stand in the pipeline of a view.
private enum ViewPipeline {
    static let stagesMax = 1_000
    static let nestingMax = 20

    static func check(_ stages: [RawDocument]) throws(CommandError) {
        guard stages.count <= stagesMax else {
            throw CommandError(
                ErrorCode(7_749_501), "Pipeline length must be no longer than \(stagesMax) stages")
        }
        for stage in stages { try check(stage, within: nil, depth: 0) }
    }

    /// - Parameter parent: the stage whose pipeline this stage belongs to.
    private static func check(_ stage: RawDocument, within parent: RawKey?, depth: Int) throws(CommandError) {
        guard depth <= nestingMax else {
            throw CommandError(
                ErrorCode(232, "MaxSubPipelineDepthExceeded"), "pipelines are nested deeper than \(nestingMax)")
        }
        guard stage.elementCount == 1, let field = stage.firstElement else {
            throw CommandError(
                ErrorCode(40_323), "A pipeline stage specification object must contain exactly one field.")
        }
        if let refusal = refusal(of: field.key, within: parent) { throw refusal }
        switch field.key {
        case "$lookup", "$unionWith":
            try checkInner(field.value.document?["pipeline"]?.array, of: field.key, depth)
        case "$facet":
            for facet in field.value.document ?? stage where facet.value.array != nil {
                try checkInner(facet.value.array, of: field.key, depth)
            }
        default: return
        }
    }

    private static func checkInner(
        _ pipeline: RawDocument?, of parent: RawKey, _ depth: Int
    ) throws(CommandError) {
        guard let pipeline else { return }
        for stage in pipeline {
            if let stage = stage.value.document { try check(stage, within: parent, depth: depth + 1) }
        }
    }

    private static func refusal(of stage: RawKey, within parent: RawKey?) -> CommandError? {
        let name = stage.string
        switch stage {
        case "$out", "$merge":
            switch parent {
            case .some(let parent) where parent == "$lookup":
                return CommandError(ErrorCode(51_047), "\(name) is not allowed within a $lookup's sub-pipeline")
            case .some(let parent) where parent == "$facet":
                return CommandError(ErrorCode(40_600), "\(name) is not allowed to be used within a $facet stage")
            case .some:
                return CommandError(ErrorCode(31_441), "\(name) is not allowed within a $unionWith's sub-pipeline")
            case nil:
                return CommandError(.optionNotSupportedOnView, "\(name) is not allowed in a view's pipeline")
            }
        case "$currentOp", "$listSessions", "$listLocalSessions", "$documents":
            if parent != nil { return nil }
            return CommandError(.invalidNamespace, "\(name) reads no collection, so no view can begin with it")
        case "$changeStream":
            return CommandError(.optionNotSupportedOnView, "\(name) is not allowed in a view's pipeline")
        default:
            return names.contains(name)
                ? nil : CommandError(ErrorCode(40_324), "Unrecognized pipeline stage name: '\(name)'")
        }
    }

    /// https://www.mongodb.com/docs/manual/reference/operator/aggregation-pipeline/
    private static let names: Set<String> = [
        "$addFields", "$bucket", "$bucketAuto", "$collStats", "$count", "$densify", "$facet", "$fill", "$geoNear",
        "$graphLookup", "$group", "$indexStats", "$limit", "$lookup", "$match", "$planCacheStats", "$project",
        "$redact",
        "$replaceRoot", "$replaceWith", "$sample", "$search", "$searchMeta", "$set", "$setWindowFields", "$skip",
        "$sort",
        "$sortByCount", "$unionWith", "$unset", "$unwind", "$vectorSearch", "$rankFusion", "$scoreFusion",
        "$querySettings", "$listSearchIndexes", "$documents", "$currentOp", "$listSessions", "$listLocalSessions",
        "$changeStreamSplitLargeEvent",
    ]
}
