internal import BSON
internal import CommandModel

/// Which documents of another collection belong to a document, by a value that both have.
//
// Safety: immutable after init; the pointers in it point into the arena it owns.
final class ForeignJoin: @unchecked Sendable {
    private enum Sides {
        /// `localField` equals `foreignField`: with arrays on either side, and null for what is not there. No local
        /// side where the values come from elsewhere.
        ///
        /// - Parameter isNull: which documents count as having a null.
        case fields(local: MatchPath?, foreign: MatchPath, isNull: Filter)
        /// `{$eq: ["$field", "$$variable"]}`: the values as they are, and nothing is not null.
        case values(local: CompiledExpression, foreign: CompiledExpression)
    }

    private let arena: ProgramArena
    private let sides: Sides
    let foreignPath: String
    private let foreignKey: RawKey
    let collator: Collator?

    /// - Parameter local: nil when the values come from elsewhere.
    init(local: String?, foreign: String, _ collator: Collator?) throws(CommandError) {
        let arena = ProgramArena()
        let path = arena.copy(foreign)
        let isNull = try Filter(compiling: Document { $0.append(path, Value.null) }, collator: collator)
        sides = .fields(
            local: local.map { MatchPath(arena.copy($0), in: arena) }, foreign: MatchPath(path, in: arena),
            isNull: isNull)
        (foreignKey, foreignPath) = (path, foreign)
        self.collator = collator
        self.arena = arena
    }

    /// - Parameter local: what the variable holds.
    init(
        value local: CompiledExpression, foreign: String, in environment: ExpressionEnvironment
    ) throws(CommandError) {
        let path = try Value.string("$" + foreign).withRaw { path throws(CommandError) in
            try CompiledExpression(compiling: path, in: environment)
        }
        sides = .values(local: local, foreign: path)
        let arena = ProgramArena()
        (foreignKey, foreignPath) = (arena.copy(foreign), foreign)
        collator = environment.collator
        self.arena = arena
    }

    /// Under which a table of a whole collection is kept.
    func tableName(_ collection: String) -> String {
        if case .fields = sides { return collection + "\0" + foreignPath }
        return collection + "\0$" + foreignPath
    }

    func keys(ofLocal document: RawDocument, into keys: inout KeyList) throws(CommandError) {
        keys.removeAll()
        switch sides {
        case .fields(let local, _, _):
            local?.forEachValue(of: document, withArrays: false) { keys.append($0) }
            if keys.isEmpty { keys.appendNull() }
        case .values(let local, _): try local.withValue(of: document) { keys.append(orNothing: $0) }
        }
    }

    func keys(ofForeign document: RawDocument, into keys: inout KeyList) throws(CommandError) {
        keys.removeAll()
        switch sides {
        case .fields(_, let foreign, let isNull):
            foreign.forEachValue(of: document, withArrays: true) { keys.append($0) }
            if isNull.matchesPlainly(document) { keys.appendNull() }
        case .values(_, let foreign): try foreign.withValue(of: document) { keys.append(orNothing: $0) }
        }
    }

    /// A condition that all documents fulfil which belong to some of these; nil where keys cannot tell.
    func condition(ofLocal documents: Batch, _ range: Range<Int>) throws(CommandError) -> Filter? {
        var values = WantedList()
        for position in range {
            try documents.withDocument(position) { document throws(CommandError) in
                try append(local: document, to: &values)
            }
        }
        return try condition(values)
    }

    private func append(local document: RawDocument, to values: inout WantedList) throws(CommandError) {
        switch sides {
        case .fields(let local, _, _):
            let before = values.count
            local?.forEachValue(of: document, withArrays: false) { values.append($0) }
            if values.count == before { values.append(.nothing(.null)) }
        case .values(let local, _):
            try local.withValue(of: document) { values.append($0 ?? .nothing(.null)) }
        }
    }

    func condition(_ values: consuming WantedList) throws(CommandError) -> Filter? {
        // What `$in` takes in another way cannot be an `_id`.
        guard foreignPath == "_id" || !values.isIncomplete else { return nil }
        let oneOf = values.finish()
        return try Filter(
            compiling: Document { filter in
                filter.append(foreignKey, .document(Document { $0.append("$in", oneOf) }))
            }, collator: collator)
    }

    /// What it reads of documents of the other collection.
    func addNeeds(ofForeign needs: inout FieldNeeds) { needs.insert(foreignKey.components) }

    func addNeeds(ofLocal needs: inout FieldNeeds) {
        switch sides {
        case .fields(let local, _, _): local.map { needs.insert($0.components) }
        case .values(let local, _): needs.read(local.program.root)
        }
    }
}

/// The operand of an `$in`, without the values that it takes in a way of its own: patterns, arrays, nothing.
struct WantedList {
    private var builder = DocumentBuilder()
    private(set) var count = 0
    private(set) var isIncomplete = false

    mutating func append(_ value: RawValue) {
        switch value.type {
        case .regex, .undefined, .array: isIncomplete = true
        default: builder.append(index: count, value)
        }
        count += 1
    }

    consuming func finish() -> Value { .array(builder.finish()) }
}
