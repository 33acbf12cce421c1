internal import BSON
internal import CommandModel
internal import Query

/// Where the rows of a query go: into a reply, or into a pipeline.
protocol RowSink {
    /// Nothing more is wanted for now.
    var isFull: Bool { get }
    /// How many documents are still wanted, at most.
    var remaining: Int { get }
    /// Whether ``append(_:_:)`` is to be used.
    var needsFacts: Bool { get }

    /// - Returns: false when the document does not fit; it belongs to the next batch.
    mutating func append(_ document: RawDocument) throws(CommandError) -> Bool
    mutating func append(_ document: RawDocument, _ facts: RowFacts) throws(CommandError) -> Bool
}

extension ReplyBatch: RowSink {}

/// The input of a pipeline.
struct BatchSink: RowSink {
    private(set) var batch = Batch()
    /// Takes full batches out of the sink's way; without it the sink is full when its batch is.
    var drain: ((borrowing Batch) throws(CommandError) -> Bool)?
    private var isDone = false
    /// What goes into the batch of each row; nil for all of it.
    var narrowing: Narrowing?

    var isFull: Bool { isDone || drain == nil && batch.isFull }
    // How many rows a pipeline takes is not known.
    var remaining: Int { .max }
    var needsFacts: Bool { false }

    mutating func append(_ document: RawDocument) throws(CommandError) -> Bool {
        if let narrowing { batch.append(document, narrowedBy: narrowing) } else { batch.append(document) }
        if batch.isFull { try flush() }
        return true
    }

    mutating func append(_ document: RawDocument, _ facts: RowFacts) throws(CommandError) -> Bool {
        try append(document)
    }

    /// Hands what is there to whoever drains the sink.
    mutating func flush() throws(CommandError) {
        guard let drain, !batch.isEmpty else { return }
        isDone = try !drain(batch)
        batch.removeAll()
    }
}
