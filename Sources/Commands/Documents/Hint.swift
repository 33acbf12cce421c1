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
    /// An index that does not exist.
    case unknown

    /// In which order documents come that no sort puts in order: which one a write of one document finds.
    func order() throws(CommandError) -> SortPattern? {
        switch self {
        case .natural(let isDescending): .natural(isDescending: isDescending)
        case .id: try SortPattern(compiling: Document { $0.append("_id", int32: 1) })
        case .none, .unknown: nil
        }
    }

    /// Only where there is a collection can an index be missing.
    func check() throws(StorageError) {
        if case .unknown = self { throw .command(Self.notFound) }
    }

    fileprivate static let notFound = CommandError(
        .badValue,
        "error processing query: planner returned error :: caused by :: hint provided does not correspond to an "
            + "existing index")
}

extension Argument {
    /// An index by its name or by its key pattern. Unlike elsewhere a null does not stand for none.
    func hint() throws(CommandError) -> Hint {
        if let name = value.string { return name == "_id_" ? .id : .unknown }
        guard let pattern = value.document else {
            throw CommandError(.failedToParse, "Hint must be a string or an object")
        }
        guard let first = pattern.firstElement else { return .none }
        if let natural = pattern["$natural"] { return try Self.natural(natural, of: pattern) }
        let isID = first.key == "_id" && pattern.elementCount == 1 && first.value.number?.asInt64Exact == 1
        return isID ? .id : .unknown
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

    /// Refuses what is malformed and what does not exist alike.
    func checkHint() throws(CommandError) {
        if case .unknown = try hint() { throw Hint.notFound }
    }
}
