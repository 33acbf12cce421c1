package import BSON
package import CommandModel

/// What a stage may use while it runs.
package struct StageLimits: Sendable {
    /// Of one stage.
    package var memoryBytesMax = Sorter.memoryBytesMax
    /// Where to go with more; nil when nothing may be written (`allowDiskUse: false`).
    package var spill: (any SpillSpace)?
    /// Brings the documents of other collections.
    package var reader: (any CollectionReader)?
    /// Ends what would take too long without a look at a clock.
    package var patience: Patience?

    package init() {}
}

/// A stage of a pipeline while it runs: documents go in and come out, batch by batch. Pure: what a stage needs from
/// elsewhere (another collection, a temporary file) its runner in Storage brings.
///
/// The obvious design is an iterator over iterators, one document at a time through all stages. It costs a call through
/// an existential per document and stage, and a `$lookup` in it asks for one document at a time. Batches keep the
/// iterator's virtues (a `$limit` stops the source, memory is bounded, a cursor keeps the run) at a call per batch.
package protocol StageRun: AnyObject {
    /// Takes documents of `input` from `position` on, until all are taken, `output` is full or nothing more is wanted.
    func process(_ input: Batch, from position: inout Int, into output: inout Batch) throws(CommandError)

    /// Appends what was held back, once there is no more input; called until it appends nothing.
    func finish(into output: inout Batch) throws(CommandError)

    /// Whether it gives nothing before it has seen everything.
    var isBlocking: Bool { get }

    /// Whether no further document can change anything: the stages before need not run on.
    var isSatisfied: Bool { get }

    /// Whether it reads other collections, which it cannot while rows come in on the same connection.
    var readsCollections: Bool { get }
}

extension StageRun {
    package func finish(into output: inout Batch) throws(CommandError) {}
    package var isBlocking: Bool { false }
    package var isSatisfied: Bool { false }
    package var readsCollections: Bool { false }
}
