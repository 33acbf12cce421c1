internal import BSON
internal import CommandModel

/// A compiled `$facet`: several pipelines over the same documents.
//
// Safety: immutable after init; the pointers in it point into the arena it owns.
package final class Facet: @unchecked Sendable {
    private let arena: ProgramArena
    let outputs: [(name: RawKey, pipeline: Pipeline)]

    init(compiling value: RawValue, _ compiler: PipelineCompiler) throws(CommandError) {
        guard let document = value.document, !document.isEmpty else {
            throw CommandError(ErrorCode(40169), "the $facet specification must be a non-empty object")
        }
        let arena = ProgramArena()
        let inner = try compiler.nested(in: .facet)
        var outputs: [(name: RawKey, pipeline: Pipeline)] = []
        for field in arena.copy(document) {
            try Self.check(field)
            let stages = field.value.array ?? .none
            outputs.append((field.key, try inner.compile(stages).pipeline.optimized()))
        }
        self.arena = arena
        self.outputs = outputs
    }

    private static func check(_ field: RawElement) throws(CommandError) {
        guard field.key.count > 0 else {
            throw CommandError(ErrorCode(15998), "FieldPath field names may not be empty strings.")
        }
        guard !field.key.containsDot else {
            throw CommandError(ErrorCode(16412), "FieldPath field names may not contain '.'.")
        }
        try PipelineCompiler.checkPath(field.key)
        guard let stages = field.value.array else {
            throw CommandError(
                ErrorCode(40170),
                "arguments to $facet must be arrays, \(field.key.string) is type "
                    + "\(field.value.type.alias)")
        }
        for stage in stages where stage.value.type != .document {
            throw CommandError(
                ErrorCode(40171),
                "elements of arrays in $facet spec must be non-empty objects, "
                    + "\(field.key.string) argument contained an element of type \(stage.value.type.alias)")
        }
    }
}

/// `$facet` while it runs: hands each batch to each pipeline.
final class FacetRun: StageRun {
    /// Of the one document that comes out.
    static let bytesMax = 100 * 1024 * 1024

    private let facet: Facet
    private let chains: [StageChain]
    private var isWanted: [Bool]
    private var results: [Batch]
    private var isDone = false
    let readsCollections: Bool

    init(_ facet: Facet, _ limits: StageLimits) {
        self.facet = facet
        chains = facet.outputs.map { StageChain($0.pipeline, limits) }
        readsCollections = chains.contains { $0.readsCollections }
        isWanted = chains.map { _ in true }
        results = chains.map { _ in Batch() }
    }

    var isBlocking: Bool { true }

    var isSatisfied: Bool { !isWanted.contains(true) }

    func process(_ input: Batch, from position: inout Int, into output: inout Batch) throws(CommandError) {
        for index in chains.indices where isWanted[index] {
            isWanted[index] = try chains[index].push(input) { batch throws(CommandError) in try keep(batch, index) }
        }
        position = input.count
    }

    private func keep(_ batch: Batch, _ index: Int) throws(CommandError) {
        var position = 0
        batch.forEach(from: &position) { document in
            results[index].append(document)
            return true
        }
        let bytes = results.reduce(0) { $0 + $1.byteCount }
        guard bytes <= Self.bytesMax else {
            throw CommandError(
                ErrorCode(4_031_700),
                "document constructed by $facet is \(bytes) bytes, which exceeds the limit of \(Self.bytesMax) bytes")
        }
    }

    func finish(into output: inout Batch) throws(CommandError) {
        guard !isDone else { return }
        isDone = true
        for index in chains.indices {
            try chains[index].finish { batch throws(CommandError) in try keep(batch, index) }
        }
        output.append { builder in
            for (index, result) in facet.outputs.enumerated() {
                builder.beginArray(result.name)
                var (position, count) = (0, 0)
                results[index].forEach(from: &position) { document in
                    builder.append(index: count, documentBytes: document.bytes)
                    count += 1
                    return true
                }
                builder.end()
            }
        }
        results = []
    }
}
