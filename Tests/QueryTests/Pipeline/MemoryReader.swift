import BSON
import CommandModel

@testable import Query

/// Collections in memory, for stages that read others. Counts what they ask for.
///
// Safety: for tests of one thread.
final class MemoryReader: CollectionReader, @unchecked Sendable {
    var collections: [String: [Document]]
    /// Where documents are found by their `_id`.
    var hasKeys = true
    /// Where they are found by all paths.
    var hasAllKeys = false
    let tables = ForeignTables()
    /// The first stages of what was opened.
    private(set) var opened: [String] = []

    init(_ collections: [String: [String]]) {
        self.collections = collections.mapValues { $0.map { json($0) } }
    }

    func open(_ collection: String?, _ compiled: CompiledPipeline) throws(CommandError) -> any DocumentStream {
        var filter = ""
        if case .match(let match)? = compiled.pipeline.stages.first { filter = match.specification.text }
        opened.append((collection ?? "-") + filter)
        var limits = StageLimits()
        limits.reader = self
        var documents = collection.map { collections[$0] ?? [] } ?? compiled.documents ?? []
        var rest = compiled.pipeline
        if collection != nil {
            // As the storage engine does: a query filters and narrows, the pipeline gets what is left.
            if case .match(let filter)? = rest.stages.first {
                rest.stages.removeFirst()
                var kept: [Document] = []
                for document in documents where try filter.matches(document) { kept.append(document) }
                documents = kept
            }
            if let narrowing = compiled.narrowing(for: rest, areKept: false) {
                documents = documents.map { $0.withRaw { narrowing.narrowed($0) } }
            }
        }
        var batches: [Batch] = []
        let chain = StageChain(rest, limits)
        for start in stride(from: 0, to: documents.count, by: 3) {
            let input = Batch(documents[start..<min(start + 3, documents.count)])
            guard try chain.push(input, { batches.append($0) }) else { break }
        }
        try chain.finish { batches.append($0) }
        return Stream(batches)
    }

    func findsByKeys(in collection: String, at path: String, _ collator: Collator?) -> Bool {
        hasAllKeys || hasKeys && path == "_id"
    }

    private final class Stream: DocumentStream {
        private var batches: ArraySlice<Batch>

        init(_ batches: [Batch]) {
            self.batches = batches[...]
        }

        func next() throws(CommandError) -> Batch? { batches.popFirst() }
    }
}
