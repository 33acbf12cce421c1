internal import BSON
internal import CommandModel

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
    let lookup: Lookup
    let use: LookupUse
    let limits: StageLimits
    /// Of what belongs to a part of the batch, up to ``preparedEnd``.
    var table = ForeignTable()
    var preparedEnd = 0
    var keys: KeyList
    /// Of the documents that are read for ``table``.
    let narrowing: Narrowing?
    let tableName: String
    /// What belongs to the document whose elements are being given, one by one.
    private var elements: Found?
    /// How many of them were given.
    private var given = 0
    var known: (key: [UInt8], documents: Document)?
    /// What the constant stages at the pipeline's front give.
    var front: [Batch]?
    var mayKeepFront = true

    /// What belongs to a document: where it stands in the table, or what a pipeline has given.
    private enum Found {
        case positions([Int32])
        case list(Document)

        var isEmpty: Bool {
            switch self {
            case .positions(let positions): positions.isEmpty
            case .list(let list): list.isEmpty
            }
        }
    }

    init(_ lookup: Lookup, _ use: LookupUse, _ limits: StageLimits) {
        self.lookup = lookup
        self.use = use
        self.limits = limits
        keys = KeyList(lookup.join?.collator)
        let narrowing = lookup.narrowing(use)
        self.narrowing = narrowing
        tableName = ([lookup.tableName] + (narrowing?.paths ?? [])).joined(separator: "\0")
    }

    var readsCollections: Bool { true }

    func process(_ input: Batch, from position: inout Int, into output: inout Batch) throws(CommandError) {
        if position == 0, elements == nil { preparedEnd = 0 }
        while position < input.count, !output.isFull {
            try limits.patience?.check()
            if let join = lookup.join, position >= preparedEnd { try prepare(join, input, from: position) }
            let isDone = try input.withDocument(position) { document throws(CommandError) in
                try give(document, into: &output)
            }
            guard isDone else { return }
            elements = nil
            position += 1
        }
    }

    /// - Returns: whether all that a document becomes was given.
    private func give(_ document: RawDocument, into output: inout Batch) throws(CommandError) -> Bool {
        if let unwind = use.unwind { return try expand(document, unwind, into: &output) }
        let list: Document
        switch try find(for: document) {
        case .list(let found): list = found
        case .positions(let positions):
            var found = DocumentList(limits)
            try table.forEach(at: positions) { element throws(CommandError) in try found.append(element) }
            list = found.finish()
        }
        output.append(document, setting: lookup.asPath, toArray: list)
        return true
    }

    /// A document for each that belongs to this one.
    private func expand(
        _ document: RawDocument, _ unwind: Unwind, into output: inout Batch
    ) throws(CommandError) -> Bool {
        let found: Found
        if let elements {
            found = elements
        } else {
            found = try find(for: document)
            (elements, given) = (found, 0)
        }
        if found.isEmpty, unwind.preservesEmpty {
            unwind.append(document, replacing: .some(nil), index: nil, into: &output)
        }
        switch found {
        case .positions(let positions):
            while given < positions.count {
                guard !output.isFull else { return false }
                try table.forEach(at: [positions[given]]) { element throws(CommandError) in
                    try give(document, element, unwind, into: &output)
                }
            }
        case .list(let list):
            return try list.withRaw { list throws(CommandError) in
                for element in list.dropFirst(given) {
                    guard !output.isFull else { return false }
                    try give(document, element.value.document ?? .none, unwind, into: &output)
                }
                return true
            }
        }
        return true
    }

    private func give(
        _ document: RawDocument, _ element: RawDocument, _ unwind: Unwind, into output: inout Batch
    ) throws(CommandError) {
        defer { given += 1 }
        guard try use.accepts(element) else { return }
        let value = RawValue(type: .document, bytes: element.bytes)
        unwind.append(document, replacing: value, index: given, into: &output)
    }

    /// The documents that belong to one.
    private func find(for document: RawDocument) throws(CommandError) -> Found {
        guard let join = lookup.join else { return .list(try documents(with: try lookup.values(for: document))) }
        try join.keys(ofLocal: document, into: &keys)
        let positions = table.positions(of: keys)
        // What fails in a variable fails, whoever reads it.
        if lookup.variablesMayFail { _ = try lookup.values(for: document) }
        switch lookup.found {
        case .nothing: return .positions(positions)
        case .pipeline(let pipeline): return .list(try run(pipeline, over: positions))
        case .variablePipeline:
            // Nothing comes of nothing, but for a pipeline that brings something.
            let pipeline = try lookup.pipeline.compile(try lookup.values(for: document)).pipeline.optimized()
            return .list(try run(pipeline, over: positions))
        }
    }

    private func run(_ pipeline: Pipeline, over positions: [Int32]) throws(CommandError) -> Document {
        let chain = StageChain(pipeline, limits)
        var (list, batch) = (DocumentList(limits), Batch())
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
