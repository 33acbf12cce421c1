package import BSON
package import CommandModel

/// Brings the documents of other collections to the stages of a pipeline. Storage implements it over the connection
/// that the pipeline runs on, which is free while a stage reads.
package protocol CollectionReader: AnyObject, Sendable {
    /// Runs a pipeline over a collection of the database.
    ///
    /// - Parameter collection: nil where the pipeline brings its own documents.
    func open(_ collection: String?, _ pipeline: CompiledPipeline) throws(CommandError) -> any DocumentStream

    /// Whether a condition `{path: {$in: …}}` finds its documents without reading all others: by `_id` now, by whatever
    /// keys there are once there are more.
    func findsByKeys(in collection: String, at path: String, _ collator: Collator?) -> Bool

    /// What the stages of all pipelines on this connection have read and keep.
    var tables: ForeignTables { get }
}

/// Documents that come batch by batch. Whoever has enough just lets go of it.
package protocol DocumentStream: AnyObject {
    /// Nil at the end.
    func next() throws(CommandError) -> Batch?
}

/// Another collection that a pipeline names: the collection itself, or what a view stands for.
package struct ForeignSource: Sendable {
    package let collection: String
    /// The stages of the views in front of the collection.
    package let pipeline: [Document]

    package init(collection: String, pipeline: [Document]) {
        self.collection = collection
        self.pipeline = pipeline
    }
}

extension StageLimits {
    /// - Throws: where stages run that have no database behind them.
    func open(_ collection: String?, _ pipeline: CompiledPipeline) throws(CommandError) -> any DocumentStream {
        guard let reader else {
            throw CommandError(.illegalOperation, "other collections cannot be read here")
        }
        return try reader.open(collection, pipeline)
    }
}
