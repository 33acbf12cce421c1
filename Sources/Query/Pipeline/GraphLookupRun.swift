internal import BSON
internal import CommandModel

/// `$graphLookup` while it runs: level by level, each document once.
///
/// Where there are keys at the path that is connected to, a level is one read of its keys. Elsewhere the collection is
/// read once, if memory holds it, and once per level if not. Either way the searches from many documents go side by
/// side, so that a level of them all is one read.
final class GraphLookupRun: StageRun {
    private let graph: GraphLookup
    private let limits: StageLimits
    /// All that the searches may meet, once it was found to fit.
    private var whole: ForeignTable?
    private var mayFit = true
    private var keyReads = 0
    private var meter: WorkMeter
    private var keys: KeyList
    /// What was found for the next documents of the input.
    private var found: ArraySlice<Document> = []
    private var sideBySide = sideBySideMax

    /// Collections with keys are read whole only for many documents.
    private static let keyReadsMax = 64
    private static let sideBySideMax = 256

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
            if found.isEmpty { found = try search(input, from: position)[...] }
            let list = found.removeFirst()
            try input.withDocument(position) { document throws(CommandError) in
                try Batch.check(document.bytes.count + list.count)
                output.append(document, setting: graph.asPath, toArray: list)
            }
            position += 1
        }
    }

    /// What can be reached from each of the next documents, or from fewer of them when memory does not hold all.
    private func search(_ input: Batch, from position: Int) throws(CommandError) -> [Document] {
        // With everything in memory there is nothing to gain.
        var count = whole == nil ? min(sideBySide, input.count - position) : 1
        while true {
            if let lists = try lists(for: input, position..<(position + count)) { return lists }
            count = max(count / 2, 1)
            sideBySide = count
        }
    }

    /// - Returns: nil when the searches from several documents exceed memory together.
    private func lists(for input: Batch, _ range: Range<Int>) throws(CommandError) -> [Document]? {
        var next = WantedList()
        var searches: [Search] = []
        for index in range { searches.append(try begin(input, index, &next)) }
        var depth: Int64 = 0
        while searches.contains(where: { !$0.isFrontierEmpty }), depth <= graph.depthMax {
            try limits.patience?.check()
            let frontiers = searches.map(\.frontier)
            let table = try documents(with: frontiers, next)
            next = WantedList()
            var bytes = 0
            for index in searches.indices {
                if !frontiers[index].isEmpty { try advance(&searches[index], in: table, depth, &next) }
                bytes += searches[index].byteCount
            }
            guard bytes <= limits.memoryBytesMax else {
                guard range.count > 1 else { throw Search.tooLarge }
                return nil
            }
            depth += 1
        }
        return searches.map { $0.list.finish() }
    }

    private func begin(_ input: Batch, _ index: Int, _ next: inout WantedList) throws(CommandError) -> Search {
        var search = Search(limits, graph.join.collator)
        try input.withDocument(index) { document throws(CommandError) in
            try graph.start.withValue(of: document) { value throws(CommandError) in
                guard let array = value?.array else {
                    return search.add(value ?? .nothing(.null), &keys, &next)
                }
                for element in array { search.add(element.value, &keys, &next) }
            }
        }
        return search
    }

    /// Goes on by a level.
    private func advance(
        _ search: inout Search, in table: ForeignTable, _ depth: Int64, _ next: inout WantedList
    ) throws(CommandError) {
        let wanted = search.takeFrontier()
        try table.forEach(at: table.positions(of: wanted)) { found throws(CommandError) in
            try meter.spend(WorkMeter.units(forBytes: 8 * found.bytes.count))
            guard search.isNew(found) else { return }
            try append(found, depth, to: &search)
            graph.from.forEachValue(of: found, withArrays: false) { search.add($0, &keys, &next) }
        }
    }

    private func append(_ found: RawDocument, _ depth: Int64, to search: inout Search) throws(CommandError) {
        guard let path = graph.depthPath else { return try search.append(found) }
        let value = Value.int64(depth)
        let told = value.withRaw { value in
            Document { $0.append(found, setting: path, to: .some(value)) }
        }
        try told.withRaw { told throws(CommandError) in try search.append(told) }
    }

    /// A table that holds at least the documents with one of the values.
    private func documents(
        with frontiers: [KeyList], _ values: consuming WantedList
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
        for frontier in frontiers { level.insert(frontier) }
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

/// The search from one document.
private struct Search {
    private var seenValues = GroupTable()
    private var seenDocuments = GroupTable()
    /// The values to follow next.
    private(set) var frontier: KeyList
    private(set) var list: DocumentList
    private var listBytes = 0

    static let tooLarge = CommandError(ErrorCode(40099), "$graphLookup reached maximum memory consumption")

    init(_ limits: StageLimits, _ collator: Collator?) {
        frontier = KeyList(collator)
        list = DocumentList(limits, Self.tooLarge)
    }

    var isFrontierEmpty: Bool { frontier.isEmpty }
    var byteCount: Int { seenValues.byteCount + seenDocuments.byteCount + listBytes }

    /// Adds a value to follow next, unless it was followed before.
    ///
    /// - Parameter wanted: the same for all searches.
    mutating func add(_ value: RawValue, _ keys: inout KeyList, _ wanted: inout WantedList) {
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
        wanted.append(value)
    }

    mutating func takeFrontier() -> KeyList {
        let level = frontier
        frontier.removeAll()
        return level
    }

    mutating func append(_ document: RawDocument) throws(CommandError) {
        listBytes += document.bytes.count
        try list.append(document)
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
}
