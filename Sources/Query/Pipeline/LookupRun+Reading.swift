internal import BSON
internal import CommandModel
internal import NIOCore

// Reading the other side of an equality.
extension LookupRun {
    func prepare(_ join: ForeignJoin, _ input: Batch, from position: Int) throws(CommandError) {
        preparedEnd = input.count
        if try takeWhole(join) { return }
        while true {
            var wanted = WantedValues()
            for index in position..<preparedEnd {
                try input.withDocument(index) { document throws(CommandError) in
                    try join.keys(ofLocal: document, into: &keys)
                    wanted.insert(keys)
                }
            }
            let condition = readsByKeys(join) ? try join.condition(ofLocal: input, position..<preparedEnd) : nil
            let part = ForeignTable()
            let fits = try load(join, wanted, condition, into: part, limits.memoryBytesMax)
            table = part
            if fits { return }
            guard preparedEnd - position > 1 else { throw DocumentList.tooLarge }
            preparedEnd = position + (preparedEnd - position) / 2
        }
    }

    /// Whether what belongs to a batch is found without reading all others.
    private func readsByKeys(_ join: ForeignJoin) -> Bool {
        limits.reader.map { lookup.readsByKeys(join, $0) } ?? false
    }

    /// - Returns: whether the table holds the whole collection.
    private func takeWhole(_ join: ForeignJoin) throws(CommandError) -> Bool {
        guard lookup.collection != nil, let tables = limits.reader?.tables else { return false }
        if let whole = tables.table(tableName) {
            table = whole
            return true
        }
        // A collection with keys is read whole only for many batches of few documents, as nested pipelines have them.
        guard tables.isWorthReading(tableName, afterMisses: readsByKeys(join) ? 64 : 1) else { return false }
        let kept = try tables.keep(tableName, limits.memoryBytesMax) { table, bytesMax throws(CommandError) in
            try load(join, nil, nil, into: table, bytesMax)
        }
        guard let kept else { return false }
        table = kept
        return true
    }

    /// - Returns: whether memory holds what there is.
    private func load(
        _ join: ForeignJoin, _ wanted: WantedValues?, _ condition: Filter?, into table: ForeignTable,
        _ bytesMax: Int
    ) throws(CommandError) -> Bool {
        var compiled = CompiledPipeline()
        if lookup.collection == nil, let constant = lookup.constantPipeline { compiled = constant }
        compiled.pipeline.stages = lookup.source.stages + compiled.pipeline.stages
        if let condition { compiled.pipeline.stages.insert(.match(condition), at: 0) }
        compiled.narrowing = narrowing
        let stream = try limits.open(lookup.collection, compiled)
        while let batch = try stream.next() {
            var position = 0
            try batch.forEach(from: &position) { document throws(CommandError) in
                try join.keys(ofForeign: document, into: &keys)
                if wanted?.contains(anyOf: keys) ?? true { table.insert(document, keys) }
                return true
            }
            if table.byteCount > bytesMax { return false }
        }
        return true
    }
}

extension Lookup {
    /// Whether the documents with given values are found without reading all others.
    func readsByKeys(_ join: ForeignJoin, _ reader: some CollectionReader) -> Bool {
        guard let collection, source.stages.isEmpty else { return false }
        return reader.findsByKeys(in: collection, at: join.foreignPath, join.collator)
    }
}

// A pipeline that gives all documents that belong to one.
extension LookupRun {
    func documents(with values: [(name: String, value: Value?)]) throws(CommandError) -> Document {
        let key = lookup.constantPipeline == nil ? Self.key(of: values) : []
        if let known, known.key == key { return known.documents }
        var list = DocumentList(limits)
        if known != nil, try keepFront() {
            try runRest(values, into: &list)
        } else {
            var compiled: CompiledPipeline
            if let constant = lookup.constantPipeline {
                compiled = constant
            } else {
                compiled = try lookup.pipeline.compile(values)
            }
            compiled.pipeline.stages = lookup.source.stages + compiled.pipeline.stages
            compiled.pipeline = compiled.pipeline.optimized()
            compiled.needs = use.needs
            let stream = try limits.open(lookup.collection, compiled)
            while let batch = try stream.next() { try list.append(batch) }
        }
        let documents = list.finish()
        known = (key, documents)
        return documents
    }

    /// - Returns: whether ``front`` is there.
    private func keepFront() throws(CommandError) -> Bool {
        if front != nil { return true }
        guard mayKeepFront, lookup.collection != nil else { return false }
        mayKeepFront = false
        var compiled = lookup.prefix.compiled
        compiled.pipeline = Pipeline(lookup.source.stages + compiled.pipeline.stages).optimized()
        let stream = try limits.open(lookup.collection, compiled)
        var (batches, bytes) = ([Batch](), 0)
        while let batch = try stream.next() {
            bytes += batch.byteCount + batch.count * MemoryLayout<Int>.stride
            guard bytes <= limits.memoryBytesMax else { return false }
            batches.append(batch)
        }
        front = batches
        return true
    }

    private func runRest(
        _ values: [(name: String, value: Value?)], into list: inout DocumentList
    ) throws(CommandError) {
        let rest = try lookup.pipeline.compile(values, lookup.prefix.count..<lookup.prefix.of).pipeline
        let chain = StageChain(rest.optimized(), limits)
        for batch in front ?? [] {
            guard try chain.push(batch, { results throws(CommandError) in try list.append(results) }) else { break }
        }
        try chain.finish { results throws(CommandError) in try list.append(results) }
    }

    /// Types and bytes: values that only compare as equal are not the same.
    private static func key(of values: [(name: String, value: Value?)]) -> [UInt8] {
        var key: [UInt8] = []
        for (_, value) in values {
            guard let value else {
                key.append(0xFE)
                continue
            }
            key.append(value.type.rawValue)
            withUnsafeBytes(of: value.buffer.readableBytes) { key.append(contentsOf: $0) }
            key.append(contentsOf: value.buffer.readableBytesView)
        }
        return key
    }
}
