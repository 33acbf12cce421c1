internal import BSON
internal import CommandModel
internal import Storage

/// What the operations of one `bulkWrite` did: the totals, and a result for each.
struct BulkWriteResults {
    enum Outcome {
        case written(Int64)
        case updated(WriteTally)
        case failed(CommandError, isUpdate: Bool)
    }

    private(set) var list: [(index: Int, outcome: Outcome)] = []
    private var errorCount = 0
    private var inserted: Int64 = 0
    private var matched: Int64 = 0
    private var modified: Int64 = 0
    private var upserted: Int64 = 0
    private var deleted: Int64 = 0
    private let isOrdered: Bool
    private let errorsOnly: Bool

    init(isOrdered: Bool, errorsOnly: Bool) {
        self.isOrdered = isOrdered
        self.errorsOnly = errorsOnly
    }

    var hasErrors: Bool { errorCount > 0 }

    var mustStop: Bool { isOrdered && errorCount > 0 }

    mutating func addInsert(at index: Int) {
        inserted += 1
        keep(.written(1), at: index)
    }

    mutating func addDelete(_ count: Int64, at index: Int) {
        deleted += count
        keep(.written(count), at: index)
    }

    mutating func addUpdate(_ tally: WriteTally, at index: Int) {
        matched += tally.matched
        modified += tally.modified
        if tally.upsertedID != nil { upserted += 1 }
        keep(.updated(tally), at: index)
    }

    /// - Throws: `error`, when it is not the operation's but ends the command.
    mutating func addError(_ error: CommandError, at index: Int, isUpdate: Bool = false) throws(CommandError) {
        if error.endsCommand { throw error }
        errorCount += 1
        list.append((index, .failed(error, isUpdate: isUpdate)))
    }

    private mutating func keep(_ outcome: Outcome, at index: Int) {
        if !errorsOnly { list.append((index, outcome)) }
    }

    /// The results of a batch of inserts come errors first.
    func sorted() -> BulkWriteResults {
        var copy = self
        copy.list.sort { $0.index < $1.index }
        return copy
    }

    func writeTotals(into builder: inout DocumentBuilder) {
        builder.append("nErrors", int32: Int32(truncatingIfNeeded: errorCount))
        builder.append("nInserted", int32: Int32(truncatingIfNeeded: inserted))
        builder.append("nMatched", int32: Int32(truncatingIfNeeded: matched))
        builder.append("nModified", int32: Int32(truncatingIfNeeded: modified))
        builder.append("nUpserted", int32: Int32(truncatingIfNeeded: upserted))
        builder.append("nDeleted", int32: Int32(truncatingIfNeeded: deleted))
    }

    func document(at position: Int) -> Document {
        let (index, outcome) = list[position]
        return Document { builder in
            builder.append("ok", double: outcome.isError ? 0 : 1)
            builder.append("idx", int32: Int32(truncatingIfNeeded: index))
            outcome.write(into: &builder)
        }
    }
}

extension BulkWriteResults.Outcome {
    var isError: Bool {
        if case .failed = self { return true }
        return false
    }

    fileprivate func write(into builder: inout DocumentBuilder) {
        switch self {
        case .written(let count): builder.append("n", int32: Int32(truncatingIfNeeded: count))
        case .updated(let tally):
            let count = tally.matched + (tally.upsertedID == nil ? 0 : 1)
            builder.append("n", int32: Int32(truncatingIfNeeded: count))
            builder.append("nModified", int32: Int32(truncatingIfNeeded: tally.modified))
            guard let id = tally.upsertedID else { return }
            builder.beginDocument("upserted")
            builder.append("_id", id)
            builder.end()
        case .failed(let error, let isUpdate):
            builder.append("code", int32: error.code.number)
            builder.append("errmsg", string: error.message)
            builder.append(details: error.details)
            builder.append("n", int32: 0)
            if isUpdate { builder.append("nModified", int32: 0) }
        }
    }
}
