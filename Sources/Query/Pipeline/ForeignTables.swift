internal import BSON
internal import CommandModel

/// Whole collections that stages have read, by the values at a path: kept for all batches, and for all runs of a
/// pipeline within a stage, which is a new one for each document.
//
// Safety: belongs to one pipeline, which one thread runs at a time.
package final class ForeignTables: @unchecked Sendable {
    private var tables: [String: ForeignTable] = [:]
    /// How often one was asked for that was not there; nil once it was found not to fit.
    private var misses: [String: Int?] = [:]
    private var byteCount = 0

    package init() {}

    func table(_ name: String) -> ForeignTable? { tables[name] }

    /// Whether it is time to read the whole collection: somebody reads parts of it again and again.
    func isWorthReading(_ name: String, afterMisses least: Int) -> Bool {
        guard let known = misses[name, default: 0] else { return false }
        misses[name] = known + 1
        return known >= least
    }

    /// - Parameter most: bytes that all tables may take.
    /// - Returns: nil when memory does not hold it.
    func keep(
        _ name: String, _ most: Int, _ fill: (ForeignTable, Int) throws(CommandError) -> Bool
    ) throws(CommandError) -> ForeignTable? {
        let table = ForeignTable()
        guard byteCount < most, try fill(table, most - byteCount) else {
            misses[name] = .some(nil)
            return nil
        }
        byteCount += table.byteCount
        tables[name] = table
        return table
    }
}

extension Pipeline {
    /// Calls `body` with the collections that stages read by scans, as far as that is known beforehand.
    package func forEachScan(_ reader: some CollectionReader, _ body: (String) -> Void) {
        for stage in stages {
            switch stage {
            case .lookup(let lookup, _): lookup.forEachScan(reader, body)
            case .graphLookup(let graph):
                let byKeys = reader.findsByKeys(in: graph.collection, at: graph.join.foreignPath, graph.join.collator)
                if graph.hasView || !byKeys { body(graph.collection) }
            case .unionWith(let union):
                if let name = union.collection { body(name) }
                union.compiled.pipeline.forEachScan(reader, body)
            case .facet(let facet):
                for output in facet.outputs { output.pipeline.forEachScan(reader, body) }
            default: break
            }
        }
    }
}

extension Lookup {
    fileprivate func forEachScan(_ reader: some CollectionReader, _ body: (String) -> Void) {
        if let collection {
            if join.map({ readsByKeys($0, reader) }) != true { body(collection) }
        }
        constantPipeline?.pipeline.forEachScan(reader, body)
    }
}
