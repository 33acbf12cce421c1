/// How a stage finds the documents of another collection, for `explain`.
package struct JoinStrategy: Sendable, Equatable {
    package enum Method: String, Sendable {
        /// A read of an index for each batch of documents.
        case keys
        /// The collection is read, and what belongs to a document found in a hash table.
        case hashTable
        /// A pipeline is run over the collection: once if it has no variables.
        case pipeline
    }

    package let stage: String
    package let collection: String
    /// The field whose values decide; nil where a pipeline does.
    package var path: String?
    package let method: Method
    /// Whether its elements become documents as they are found.
    package var unwinds = false
    /// What is left of the documents that it finds; nil for all of them.
    package var fields: [String]?
}

extension Pipeline {
    package func joins(_ reader: some CollectionReader) -> [JoinStrategy] {
        stages.flatMap { stage -> [JoinStrategy] in
            switch stage {
            case .lookup(let lookup, let use): lookup.strategy(use, reader).map { [$0] } ?? []
            case .graphLookup(let graph): [graph.strategy(reader)]
            case .unionWith(let union):
                union.compiled.pipeline.joins(reader)
            case .facet(let facet): facet.outputs.flatMap { $0.pipeline.joins(reader) }
            default: []
            }
        }
    }
}

extension Lookup {
    /// Nil where no collection is read.
    fileprivate func strategy(_ use: LookupUse, _ reader: some CollectionReader) -> JoinStrategy? {
        guard let collection else { return nil }
        let method = join.map { readsByKeys($0, reader) ? JoinStrategy.Method.keys : .hashTable } ?? .pipeline
        return JoinStrategy(
            stage: "$lookup", collection: collection, path: join?.foreignPath, method: method,
            unwinds: use.unwind != nil, fields: narrowing(use)?.paths)
    }
}

extension GraphLookup {
    fileprivate func strategy(_ reader: some CollectionReader) -> JoinStrategy {
        let findsByKeys = !hasView && reader.findsByKeys(in: collection, at: join.foreignPath, join.collator)
        return JoinStrategy(
            stage: "$graphLookup", collection: collection, path: join.foreignPath,
            method: findsByKeys ? .keys : .hashTable)
    }
}
