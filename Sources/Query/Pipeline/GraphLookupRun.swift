internal import BSON
internal import CommandModel

/// `$graphLookup` while it runs: level by level, each document once.
///
/// Where there are keys at the path that is connected to, a level is one read of its keys. Elsewhere the collection is
/// read once, if memory holds it, and once per level if not.
final class GraphLookupRun: StageRun {
    private let graph: GraphLookup
    private let limits: StageLimits
    /// All that the search may meet, once it was found to fit.
    private var whole: ForeignTable?
    private var mayFit = true
    private var keyReads = 0
    private var meter: WorkMeter
    private var keys: KeyList

    /// Collections with keys are read whole only for many documents.
    private static let keyReadsMax = 64

    init(_ graph: GraphLookup, _ limits: StageLimits) {
        self.graph = graph
        self.limits = limits
        meter = WorkMeter(limits.patience)
        keys = KeyList(graph.join.collator)
        whole = graph.tableName.flatMap { limits.reader?.tables.table($0) }
    }

    var readsCollections: Bool { true }

    func process(_ input: Batch, from position: inout Int, into output: inout Batch) throws(CommandError) {
        while position < input.count, !output.isFull {
            try input.withDocument(position) { document throws(CommandError) in
                let found = try reached(from: document)
                output.append(document, setting: graph.asPath, toArray: found)
            }
            position += 1
        }
    }

    private func reached(from document: RawDocument) throws(CommandError) -> Document {
        var search = Search(limits, graph.join.collator)
        try graph.start.withValue(of: document) { value throws(CommandError) in
            guard let array = value?.array else { return search.add(value ?? .nothing(.null), &keys) }
            for element in array { search.add(element.value, &keys) }
        }
        var depth: Int64 = 0
        while !search.isFrontierEmpty, depth <= graph.depthMax {
            try limits.patience?.check()
            let (wanted, values) = search.nextLevel()
            let table = try documents(with: wanted, values)
            try table.forEach(at: table.positions(of: wanted)) { found throws(CommandError) in
                try meter.spend(WorkMeter.units(forBytes: 8 * found.bytes.count))
                guard search.isNew(found) else { return }
                try append(found, depth, to: &search.list)
                graph.from.forEachValue(of: found, withArrays: false) { search.add($0, &keys) }
            }
            try search.checkMemory(limits)
            depth += 1
        }
        return search.list.finish()
    }

    private func append(_ found: RawDocument, _ depth: Int64, to list: inout DocumentList) throws(CommandError) {
        guard let path = graph.depthPath else { return try list.append(found) }
        let value = Value.int64(depth)
        let told = value.withRaw { value in
            Document { $0.append(found, setting: path, to: .some(value)) }
        }
        try told.withRaw { told throws(CommandError) in try list.append(told) }
    }

    /// A table that holds at least the documents with one of the values.
    private func documents(
        with wanted: KeyList, _ values: consuming WantedList
    ) throws(CommandError) -> ForeignTable {
        if let whole { return whole }
        let readsByKeys = limits.reader?.findsByKeys(
            in: graph.collection, at: graph.join.foreignPath, graph.join.collator)
        let condition = readsByKeys == true && !graph.hasView ? try graph.join.condition(values) : nil
        if condition != nil { keyReads += 1 }
        if mayFit, condition == nil || keyReads > Self.keyReadsMax {
            whole = try loadWhole()
            mayFit = whole != nil
            if let whole { return whole }
        }
        var level = WantedValues()
        level.insert(wanted)
        let some = ForeignTable()
        guard try load(level, condition, into: some, limits.memoryBytesMax) else { throw Search.tooLarge }
        return some
    }

    private func loadWhole() throws(CommandError) -> ForeignTable? {
        guard let name = graph.tableName, let tables = limits.reader?.tables else {
            let table = ForeignTable()
            return try load(nil, nil, into: table, limits.memoryBytesMax) ? table : nil
        }
        return try tables.keep(name, limits.memoryBytesMax) { table, bytesMax throws(CommandError) in
            try load(nil, nil, into: table, bytesMax)
        }
    }

    /// - Returns: whether memory holds it.
    private func load(
        _ wanted: WantedValues?, _ condition: Filter?, into table: ForeignTable, _ bytesMax: Int
    ) throws(CommandError) -> Bool {
        var pipeline = graph.source
        if let condition { pipeline.stages.insert(.match(condition), at: 0) }
        let stream = try limits.open(graph.collection, CompiledPipeline(documents: nil, pipeline: pipeline))
        var found = KeyList(graph.join.collator)
        while let batch = try stream.next() {
            var position = 0
            try batch.forEach(from: &position) { document throws(CommandError) in
                try meter.spend(WorkMeter.units(forBytes: 8 * document.bytes.count))
                try graph.join.keys(ofForeign: document, into: &found)
                if wanted?.contains(anyOf: found) ?? true { table.insert(document, found) }
                return true
            }
            if table.byteCount > bytesMax { return false }
        }
        return true
    }
}

/// What a search has seen.
private struct Search {
    private var seenValues = GroupTable()
    private var seenDocuments = GroupTable()
    private var frontier: KeyList
    private var values = WantedList()
    private let collator: Collator?
    var list: DocumentList

    static let tooLarge = CommandError(ErrorCode(40099), "$graphLookup reached maximum memory consumption")

    init(_ limits: StageLimits, _ collator: Collator?) {
        self.collator = collator
        frontier = KeyList(collator)
        list = DocumentList(limits, Self.tooLarge)
    }

    var isFrontierEmpty: Bool { frontier.isEmpty }

    /// Adds a value to follow next, unless it was followed before.
    mutating func add(_ value: RawValue, _ keys: inout KeyList) {
        keys.removeAll()
        keys.append(value)
        var isNew = false
        keys.forEach { key in
            guard seenValues.index(of: key) == nil else { return }
            _ = seenValues.insert(key, id: .nothing(.null))
            isNew = true
        }
        guard isNew else { return }
        frontier.append(contentsOf: keys)
        values.append(value)
    }

    mutating func nextLevel() -> (KeyList, WantedList) {
        let level = (frontier, values)
        frontier = KeyList(collator)
        values = WantedList()
        return level
    }

    /// A document is the same as another by its `_id`, as bytes tell it.
    mutating func isNew(_ document: RawDocument) -> Bool {
        let key = KeyEncoder.encode(document["_id"] ?? .nothing(.null)) as [UInt8]
        return key.withUnsafeBytes { bytes in
            guard seenDocuments.index(of: bytes) == nil else { return false }
            _ = seenDocuments.insert(bytes, id: .nothing(.null))
            return true
        }
    }

    func checkMemory(_ limits: StageLimits) throws(CommandError) {
        guard seenValues.byteCount + seenDocuments.byteCount <= limits.memoryBytesMax else { throw Self.tooLarge }
    }
}
