internal import BSON
internal import CommandModel

/// `localField` equals `foreignField`: which documents of another collection belong to one, with arrays on either side,
/// and null for what is not there.
//
// Safety: immutable after init; the pointers in it point into the arena it owns.
final class ForeignJoin: @unchecked Sendable {
    private let arena: ProgramArena
    private let local: MatchPath?
    private let foreign: MatchPath
    let foreignPath: String
    private let foreignKey: RawKey
    /// Which documents count as having a null.
    private let isNull: Filter
    let collator: Collator?

    /// - Parameter local: nil when the values come from elsewhere.
    init(local: String?, foreign: String, _ collator: Collator?) throws(CommandError) {
        let arena = ProgramArena()
        self.local = local.map { MatchPath(arena.copy($0), in: arena) }
        let path = arena.copy(foreign)
        foreignKey = path
        self.foreign = MatchPath(path, in: arena)
        self.collator = collator
        foreignPath = foreign
        isNull = try Filter(compiling: Document { $0.append(path, Value.null) }, collator: collator)
        self.arena = arena
    }

    func keys(ofLocal document: RawDocument, into keys: inout KeyList) {
        keys.removeAll()
        local?.forEachValue(of: document, withArrays: false) { keys.append($0) }
        if keys.isEmpty { keys.appendNull() }
    }

    func keys(ofForeign document: RawDocument, into keys: inout KeyList) {
        keys.removeAll()
        foreign.forEachValue(of: document, withArrays: true) { keys.append($0) }
        if isNull.matchesPlainly(document) { keys.appendNull() }
    }

    /// A condition that all documents fulfil which belong to some of these.
    func condition(ofLocal documents: Batch, _ range: Range<Int>) throws(CommandError) -> Filter? {
        guard let local else { return nil }
        var values = WantedList()
        for position in range {
            documents.withDocument(position) { document in
                let before = values.count
                local.forEachValue(of: document, withArrays: false) { values.append($0) }
                if values.count == before { values.append(.nothing(.null)) }
            }
        }
        return try condition(values)
    }

    func condition(_ values: consuming WantedList) throws(CommandError) -> Filter {
        let oneOf = values.finish()
        return try Filter(
            compiling: Document { filter in
                filter.append(foreignKey, .document(Document { $0.append("$in", oneOf) }))
            }, collator: collator)
    }
}

/// The operand of an `$in` on a path that has keys, where no array and no pattern can be.
struct WantedList {
    private var builder = DocumentBuilder()
    private(set) var count = 0

    mutating func append(_ value: RawValue) {
        switch value.type {
        case .regex, .undefined, .array: break
        default: builder.append(index: count, value)
        }
        count += 1
    }

    consuming func finish() -> Value { .array(builder.finish()) }
}
