internal import CommandModel
package import Metrics

/// Documents that clients were given, and that they have changed.
package final class DocumentCounters: Sendable {
    package let returned = Counter()
    package let inserted = Counter()
    package let updated = Counter()
    package let deleted = Counter()

    init() {}

    func note(_ tally: WriteTally, of operation: DocumentOperation) {
        switch operation.action {
        case .delete: deleted.count(Int(clamping: tally.matched))
        case .update:
            updated.count(Int(clamping: tally.modified))
            if tally.upsertedID != nil { inserted.count() }
        }
    }

    /// - Parameters:
    ///   - count: of the documents that were to be inserted.
    ///   - refused: the first of them ends an ordered insert.
    func noteInsert(of count: Int, isOrdered: Bool, refused: [(index: Int, error: CommandError)]) {
        inserted.count(isOrdered ? refused.first?.index ?? count : max(0, count - refused.count))
    }
}
