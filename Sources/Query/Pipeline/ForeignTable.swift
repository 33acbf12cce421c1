internal import BSON
internal import CommandModel

/// Documents of another collection by the values at a path: a hash table, as large as memory allows. An object, since
/// it is looked into for each document and would be copied then.
final class ForeignTable {
    private struct Link {
        let document: Int32
        /// Of the same value; -1 at the end.
        let next: Int32
    }

    private var documents = Batch()
    private var values = GroupTable()
    /// The last link of each value.
    private var last: [Int32] = []
    private var links: [Link] = []

    /// Memory in use.
    var byteCount: Int {
        documents.byteCount + documents.count * 8 + values.byteCount + links.count * MemoryLayout<Link>.stride
            + last.count * 4
    }

    func insert(_ document: RawDocument, _ keys: KeyList) {
        let position = Int32(truncatingIfNeeded: documents.count)
        documents.append(document)
        keys.forEach { key in
            let value: Int
            if let known = values.index(of: key) {
                value = known
            } else {
                value = values.insert(key, id: .nothing(.null))
                last.append(-1)
            }
            links.append(Link(document: position, next: last[value]))
            last[value] = Int32(truncatingIfNeeded: links.count - 1)
        }
    }

    /// The positions of the documents with one of the values, ascending.
    func positions(of keys: KeyList) -> [Int32] {
        var found: [Int32] = []
        keys.forEach { key in
            guard let value = values.index(of: key) else { return }
            var link = last[value]
            while link >= 0 {
                found.append(links[Int(link)].document)
                link = links[Int(link)].next
            }
        }
        guard found.count > 1 else { return found }
        found.sort()
        var distinct: [Int32] = []
        for position in found where position != distinct.last { distinct.append(position) }
        return distinct
    }

    func forEach<E: Error>(at positions: [Int32], _ body: (RawDocument) throws(E) -> Void) throws(E) {
        for position in positions {
            try documents.withDocument(Int(position)) { document throws(E) in try body(document) }
        }
    }
}

/// The values that are looked for, each once.
struct WantedValues {
    private var values = GroupTable()

    mutating func insert(_ keys: KeyList) {
        keys.forEach { if values.index(of: $0) == nil { _ = values.insert($0, id: .nothing(.null)) } }
    }

    func contains(anyOf keys: KeyList) -> Bool {
        var isWanted = false
        keys.forEach { if !isWanted { isWanted = values.index(of: $0) != nil } }
        return isWanted
    }
}
