internal import BSON
internal import CommandModel
internal import NIOCore

/// `$lookup` while it runs.
///
/// An equality is joined by a hash table of the other collection, never by a query for each document. Where there are
/// keys at the other side's path, each batch is one read of its keys. Elsewhere the first batch reads what belongs to
/// it in one scan; a second one reads the whole collection, to be kept for all that follow, if memory holds it, and
/// each batch makes a scan if not. What belongs to one batch and does not fit is read in several passes.
///
/// A pipeline with variables is compiled with their values as constants. The stages at its front that name none of them
/// give the same for all documents: that is kept, if memory holds it, and the rest runs over it.
final class LookupRun: StageRun {
    private let lookup: Lookup
    private let limits: StageLimits
    /// Of what belongs to a part of the batch, up to ``preparedEnd``.
    private var table = ForeignTable()
    private var preparedEnd = 0
    private var keys: KeyList
    private var known: (key: [UInt8], documents: Document)?
    /// What the constant stages at the pipeline's front give.
    private var front: [Batch]?
    private var mayKeepFront = true

    init(_ lookup: Lookup, _ limits: StageLimits) {
        self.lookup = lookup
        self.limits = limits
        keys = KeyList(lookup.join?.collator)
    }

    var readsCollections: Bool { true }

    func process(_ input: Batch, from position: inout Int, into output: inout Batch) throws(CommandError) {
        if position == 0 { preparedEnd = 0 }
        while position < input.count, !output.isFull {
            try limits.patience?.check()
            if let join = lookup.join, position >= preparedEnd { try prepare(join, input, from: position) }
            try input.withDocument(position) { document throws(CommandError) in
                let found = try documents(for: document)
                found.withRaw { found in
                    let value = RawValue(type: .array, bytes: found.bytes)
                    output.append { $0.append(document, setting: lookup.asPath, to: .some(value)) }
                }
            }
            position += 1
        }
    }

    /// The array of the documents that belong to one.
    private func documents(for document: RawDocument) throws(CommandError) -> Document {
        let values = try lookup.values(for: document)
        guard let join = lookup.join else { return try documents(with: values) }
        join.keys(ofLocal: document, into: &keys)
        let positions = table.positions(of: keys)
        var list = DocumentList(limits)
        if lookup.pipeline.isEmpty || lookup.collection == nil {
            try table.forEach(at: positions) { found throws(CommandError) in try list.append(found) }
            return list.finish()
        }
        let pipeline = try compile(values).pipeline.optimized()
        let chain = StageChain(pipeline, limits)
        var batch = Batch()
        try table.forEach(at: positions) { found throws(CommandError) in
            batch.append(found)
            guard batch.isFull else { return }
            _ = try chain.push(batch) { results throws(CommandError) in try list.append(results) }
            batch.removeAll()
        }
        _ = try chain.push(batch) { results throws(CommandError) in try list.append(results) }
        try chain.finish { results throws(CommandError) in try list.append(results) }
        return list.finish()
    }
}

// Reading the other side of an equality.
extension LookupRun {
    private func prepare(_ join: ForeignJoin, _ input: Batch, from position: Int) throws(CommandError) {
        preparedEnd = input.count
        if try takeWhole(join) { return }
        while true {
            var wanted = WantedValues()
            for index in position..<preparedEnd {
                input.withDocument(index) { document in
                    join.keys(ofLocal: document, into: &keys)
                    wanted.insert(keys)
                }
            }
            let condition = readsByKeys(join) ? try join.condition(ofLocal: input, position..<preparedEnd) : nil
            var part = ForeignTable()
            let fits = try load(join, wanted, condition, into: &part, limits.memoryBytesMax)
            table = part
            if fits { return }
            guard preparedEnd - position > 1 else { throw DocumentList.tooLarge }
            preparedEnd = position + (preparedEnd - position) / 2
        }
    }

    /// Whether what belongs to a batch is found without reading all others.
    private func readsByKeys(_ join: ForeignJoin) -> Bool {
        guard let name = lookup.collection, lookup.source.stages.isEmpty, let reader = limits.reader else {
            return false
        }
        return reader.findsByKeys(in: name, at: join.foreignPath, join.collator)
    }

    /// - Returns: whether the table holds the whole collection.
    private func takeWhole(_ join: ForeignJoin) throws(CommandError) -> Bool {
        guard lookup.collection != nil, let tables = limits.reader?.tables else { return false }
        if let whole = tables.table(lookup.tableName) {
            table = whole
            return true
        }
        // A collection with keys is read whole only for many batches of few documents, as nested pipelines have them.
        guard tables.isWorthReading(lookup.tableName, afterMisses: readsByKeys(join) ? 64 : 1) else { return false }
        let kept = try tables.keep(lookup.tableName, limits.memoryBytesMax) { table, bytesMax throws(CommandError) in
            try load(join, nil, nil, into: &table, bytesMax)
        }
        guard let kept else { return false }
        table = kept
        return true
    }

    /// - Returns: whether memory holds what there is.
    private func load(
        _ join: ForeignJoin, _ wanted: WantedValues?, _ condition: Filter?, into table: inout ForeignTable,
        _ bytesMax: Int
    ) throws(CommandError) -> Bool {
        var compiled = CompiledPipeline()
        if lookup.collection == nil, let constant = lookup.constantPipeline { compiled = constant }
        compiled.pipeline.stages = lookup.source.stages + compiled.pipeline.stages
        if let condition { compiled.pipeline.stages.insert(.match(condition), at: 0) }
        let stream = try limits.open(lookup.collection, compiled)
        while let batch = try stream.next() {
            var position = 0
            batch.forEach(from: &position) { document in
                join.keys(ofForeign: document, into: &keys)
                if wanted?.contains(anyOf: keys) ?? true { table.insert(document, keys) }
                return true
            }
            if table.byteCount > bytesMax { return false }
        }
        return true
    }
}

// A pipeline that gives all documents that belong to one.
extension LookupRun {
    private func documents(with values: [(name: String, value: Value?)]) throws(CommandError) -> Document {
        let key = lookup.constantPipeline == nil ? Self.key(of: values) : []
        if let known, known.key == key { return known.documents }
        var list = DocumentList(limits)
        if known != nil, try keepFront() {
            try runRest(values, into: &list)
        } else {
            var compiled = try compile(values)
            compiled.pipeline.stages = lookup.source.stages + compiled.pipeline.stages
            compiled.pipeline = compiled.pipeline.optimized()
            let stream = try limits.open(lookup.collection, compiled)
            while let batch = try stream.next() { try list.append(batch) }
        }
        let documents = list.finish()
        known = (key, documents)
        return documents
    }

    private func compile(_ values: [(name: String, value: Value?)]) throws(CommandError) -> CompiledPipeline {
        if let constant = lookup.constantPipeline { return constant }
        return try lookup.pipeline.compile(values)
    }

    /// - Returns: whether ``front`` is there.
    private func keepFront() throws(CommandError) -> Bool {
        if front != nil { return true }
        guard mayKeepFront, lookup.collection != nil else { return false }
        mayKeepFront = false
        let pipeline = Pipeline(lookup.source.stages + lookup.prefix.pipeline.stages).optimized()
        let stream = try limits.open(lookup.collection, CompiledPipeline(documents: nil, pipeline: pipeline))
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

/// An array of documents that grows, as large as memory allows.
struct DocumentList {
    private var builder = DocumentBuilder()
    private var count = 0
    private let bytesMax: Int
    private let refusal: CommandError

    /// - Parameter refusal: of more than memory allows.
    init(_ limits: StageLimits, _ refusal: CommandError = Self.tooLarge) {
        bytesMax = limits.memoryBytesMax
        self.refusal = refusal
    }

    static let tooLarge = CommandError(
        ErrorCode(4568), "the documents that belong to one document of a $lookup exceed the memory of a stage")

    mutating func append(_ document: RawDocument) throws(CommandError) {
        guard builder.count + document.bytes.count <= bytesMax else { throw refusal }
        builder.append(index: count, documentBytes: document.bytes)
        count += 1
    }

    mutating func append(_ batch: Batch) throws(CommandError) {
        var position = 0
        try batch.forEach(from: &position) { document throws(CommandError) in
            try append(document)
            return true
        }
    }

    consuming func finish() -> Document { builder.finish() }
}
