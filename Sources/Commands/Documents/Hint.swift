internal import BSON
internal import CommandModel
internal import Query
internal import Storage

/// Which index a client wants to be used. There is only the one on `_id` so far.
enum Hint: Sendable {
    case none
    /// All documents, in the order in which they were inserted or the other way round.
    case natural(isDescending: Bool)
    case id
    case index(IndexHint)

    /// In which order documents come that no sort puts in order: which one a write of one document finds.
    func order() throws(CommandError) -> SortPattern? {
        switch self {
        case .natural(let isDescending): .natural(isDescending: isDescending)
        case .id: try SortPattern(compiling: Document { $0.append("_id", int32: 1) })
        case .none, .index: nil
        }
    }

    /// Only where there is a collection can an index be missing.
    func check(in collection: Collection) throws(StorageError) {
        // That of a view is one of the collection that it shows: see below.
        guard case .index(let hint) = self, collection.view == nil else { return }
        let isThere = collection.readyIndexes.contains { !$0.definition.isHidden && hint.means($0.definition) }
        if !isThere { throw .command(Self.notFound) }
    }

    func check(in view: ViewTarget) throws(StorageError) {
        if let collection = view.collection { try check(in: collection) }
    }

    /// Tells a query which index to use.
    func apply(to query: inout FindQuery) {
        switch self {
        case .natural(let isDescending): (query.naturalDescending, query.wantsNaturalOrder) = (isDescending, true)
        case .index(let hint): query.hint = hint
        case .none, .id: break
        }
    }

    /// The index that is no special one.
    var index: IndexHint? {
        guard case .index(let hint) = self else { return nil }
        return hint
    }

    fileprivate static let notFound = CommandError(
        .badValue,
        "error processing query: planner returned error :: caused by :: hint provided does not correspond to an "
            + "existing index")
}

extension Argument {
    /// An index by its name or by its key pattern. Unlike elsewhere a null does not stand for none.
    func hint() throws(CommandError) -> Hint {
        if let name = value.string { return name == "_id_" ? .id : .index(.name(name)) }
        guard let pattern = value.document else {
            throw CommandError(.failedToParse, "Hint must be a string or an object")
        }
        guard let first = pattern.firstElement else { return .none }
        if let natural = pattern["$natural"] { return try Self.natural(natural, of: pattern) }
        let isID = first.key == "_id" && pattern.elementCount == 1 && first.value.number?.asInt64Exact == 1
        return isID ? .id : .index(.keyPattern(Document(copying: pattern)))
    }

    private static func natural(_ direction: RawValue, of pattern: RawDocument) throws(CommandError) -> Hint {
        guard pattern.elementCount == 1 else {
            throw CommandError(.badValue, "$natural cannot be combined with other fields in a hint")
        }
        switch direction.number?.asInt64Exact {
        case .some(1): return .natural(isDescending: false)
        case .some(-1): return .natural(isDescending: true)
        default: throw CommandError(.badValue, "$natural hint direction must be 1 or -1")
        }
    }
}
