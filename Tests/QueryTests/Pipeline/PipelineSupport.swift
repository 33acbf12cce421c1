import BSON
import CommandModel

@testable import Query

/// What the stages of a pipeline make of the documents in an array.
func run(_ pipeline: String, on documents: String, _ limits: StageLimits = StageLimits()) throws -> String {
    let array = json(#"{"documents": \#(documents)}"#)
    let documents = array.withRaw { raw in
        (raw["documents"]?.array ?? .none).compactMap { $0.value.document.map { Document(copying: $0) } }
    }
    var harness = PipelineHarness(limits: limits)
    return "[" + (try harness.run(pipeline, over: documents)).map(\.text).joined(separator: ", ") + "]"
}
