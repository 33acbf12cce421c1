internal import BSON
package import CommandModel

// `$text` of the first stage, and `$meta: "textScore"` of those behind it.
extension PipelineCompiler {
    /// Notes what is known of text scores behind a stage.
    mutating func followTextScore(
        _ stage: RawKey, isFirst: Bool, _ pipeline: inout Pipeline, of source: RawDocument
    ) {
        if isFirst, case .match(let filter)? = pipeline.stages.first, filter.searchesText,
            source.asksForTextScore
        {
            environment.textScore = .carried
            pipeline.carriesTextScore = true
        } else if Self.stagesWithoutScore.contains(stage.string) {
            environment.textScore = .none
        }
    }

    /// Their documents are no longer those that were found.
    private static let stagesWithoutScore: Set = [
        "$group", "$bucket", "$bucketAuto", "$count", "$sortByCount", "$facet",
    ]
}

extension Pipeline {
    /// - Throws: 17313 for a `$text` that stands behind the stages of a view.
    package func checkText(behind view: Pipeline) throws(CommandError) {
        guard !view.stages.isEmpty, case .match(let filter)? = stages.first, filter.searchesText else { return }
        throw .textNotFirst
    }
}

extension CommandError {
    package static let textNotFirst = CommandError(
        ErrorCode(17313), "$match with $text is only allowed as the first pipeline stage")
}

extension RawDocument {
    /// Whether `{$meta: "textScore"}` stands somewhere in it.
    package var asksForTextScore: Bool { asksForTextScore(depth: 0) }

    /// Deeper than that no document is accepted.
    fileprivate func asksForTextScore(depth: Int) -> Bool {
        guard depth < 200 else { return false }
        return contains { element in
            if let container = element.value.container { return container.asksForTextScore(depth: depth + 1) }
            return element.key == "$meta" && element.value.string == "textScore"
        }
    }
}
