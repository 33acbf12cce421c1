package import CommandModel

/// What somebody is about to do with a collection, as far as its kind decides whether it can be done.
package enum CollectionUse: Sendable {
    /// Querying its documents.
    case reading
    case writing
    /// What concerns the table of its documents: sizes, validation.
    case maintaining

    /// Refuses what is written by the server alone.
    package static func checkWrites(into namespace: Namespace) throws(CommandError) {
        let name = namespace.collection
        guard name.utf8.starts(with: "system.".utf8) else { return }
        guard
            name.utf8.elementsEqual("system.views".utf8) || name.utf8.elementsEqual("system.profile".utf8)
                || name.utf8.starts(with: "system.buckets.".utf8)
        else { return }
        throw CommandError(
            .invalidNamespace, "\(namespace) is written by the server alone: use create, collMod and drop")
    }
}

extension Collection {
    /// - Throws: CommandNotSupportedOnView (166), OperationNotSupportedInTransaction (263), InvalidNamespace (73).
    func check(_ use: CollectionUse, inTransaction: Bool = false) throws(StorageError) {
        if let refusal = refusal(of: use, inTransaction: inTransaction) { throw .command(refusal) }
    }

    private func refusal(of use: CollectionUse, inTransaction: Bool) -> CommandError? {
        switch (kind, use) {
        case (.view, .writing), (.view, .maintaining):
            return .notSupportedOnView(namespace)
        case (.capped, .writing) where inTransaction:
            return CommandError(
                .operationNotSupportedInTransaction,
                "Collection '\(namespace)' is a capped collection. Writes in transactions are not allowed on capped "
                    + "collections.")
        case (.timeseries, .writing) where inTransaction:
            return CommandError(
                .operationNotSupportedInTransaction,
                "Cannot write to the time series \(namespace) in a multi-document transaction")
        case (.plain, .writing), (.capped, .writing):
            do throws(CommandError) { try CollectionUse.checkWrites(into: namespace) } catch { return error }
            return nil
        default: return nil
        }
    }
}

extension CommandError {
    package static func notSupportedOnView(_ namespace: Namespace) -> CommandError {
        CommandError(.commandNotSupportedOnView, "Namespace \(namespace) is a view, not a collection")
    }
}
