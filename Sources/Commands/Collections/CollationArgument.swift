internal import BSON
internal import CommandModel
internal import Query
internal import Storage

extension Argument {
    /// The collation of a command: null and an empty one stand for that of the collection.
    func collationChoice() throws(CommandError) -> CollationChoice {
        guard let document = try ifPresent(Argument.document), !document.isEmpty else { return .inherited }
        return try collator().map { .chosen($0) } ?? .simple
    }
}

extension CollationChoice {
    /// What a command is compiled by before its collection is known, if only to see whether it is well-formed: the
    /// catalog is not asked for the sake of a malformed filter.
    var early: Collator? { collator(default: nil) }

    /// `compiled`, unless the collection has a collation which it had to be compiled by.
    func settled<Compiled>(
        _ compiled: Compiled, in collection: Collection,
        _ compile: (Collator?) throws(CommandError) -> Compiled
    ) throws(StorageError) -> Compiled {
        guard case .inherited = self, let collator = collection.collator else { return compiled }
        do throws(CommandError) { return try compile(collator) } catch { throw .command(error) }
    }
}
