package import BSON
package import CommandModel
package import Query

/// What one statement of a write command does to one document: pure, so that it can be applied again to a newer
/// version when a race was lost.
package struct DocumentOperation: Sendable {
    package enum Action: Sendable {
        case update(UpdateProgram)
        case delete
    }

    package let namespace: Namespace
    /// The document must match it to be touched.
    package internal(set) var filter: Filter
    package let action: Action
    /// The object id for an upserted document that names none; nil when nothing is to be inserted on no match.
    package private(set) var upsertID: ObjectID?
    /// What findAndModify wants to see.
    package let image: Image
    /// The index by which documents are to be found.
    package var hint: IndexHint?
    /// The result need not fulfil what the collection demands.
    package var bypassesValidation = false
    /// What is inserted on no match, in the place of what the update would make.
    package var supplied: Document?

    package func hinted(_ hint: IndexHint?) -> DocumentOperation {
        var copy = self
        copy.hint = hint
        return copy
    }

    /// The same for a document that is there.
    var insertingNothing: DocumentOperation {
        var copy = self
        copy.upsertID = nil
        return copy
    }

    package enum Image: Sendable {
        case none
        case before
        case after
    }

    package init(
        on namespace: Namespace, filter: Filter, action: Action, upsertID: ObjectID? = nil, image: Image = .none
    ) {
        self.namespace = namespace
        self.filter = filter
        self.action = action
        self.upsertID = upsertID
        self.image = image
    }

    /// The state of a document after the operation; nil means that there is none.
    package enum Effect: Sendable {
        case unchanged
        case store(Document)
        case remove
    }

    /// Applies the operation to the present version, or to the absence of a document.
    package func apply(
        to current: RawDocument?, in collection: Collection
    ) throws(CommandError) -> (Effect, DocumentOutcome) {
        let result = try apply(to: current)
        if case .store(let document) = result.0, !bypassesValidation {
            try collection.check(document, replacing: current)
        }
        return result
    }

    private func apply(to current: RawDocument?) throws(CommandError) -> (Effect, DocumentOutcome) {
        if let current, try filter.matches(current) { return try applyMatched(current) }
        guard upsertID != nil, let document = try upserted() else { return (.unchanged, DocumentOutcome()) }
        // There is a document with this _id that the rest of the filter does not match: the insert meets it.
        guard current == nil else { throw .duplicateID(in: namespace, document: document) }
        let outcome = DocumentOutcome(
            upsertedID: document.withRaw { Value(copying: $0["_id"] ?? Value.nullRaw) },
            image: image == .after ? document : nil)
        return (.store(document), outcome)
    }

    /// The document that an upsert inserts when nothing matches; nil when this is none.
    package func upserted() throws(CommandError) -> Document? {
        guard let upsertID, case .update(let program) = action else { return nil }
        if let supplied { return supplied }
        return try program.insertedDocument(filter: filter, newID: upsertID)
    }

    private func applyMatched(_ current: RawDocument) throws(CommandError) -> (Effect, DocumentOutcome) {
        switch action {
        case .delete:
            return (.remove, DocumentOutcome(matched: true, modified: true, image: image(of: current)))
        case .update(let program):
            guard let updated = try program.apply(to: current, filter: filter) else {
                return (.unchanged, DocumentOutcome(matched: true, image: image(of: current)))
            }
            let shown = image == .after ? updated : image(of: current)
            return (.store(updated), DocumentOutcome(matched: true, modified: true, image: shown))
        }
    }
}

extension DocumentOperation {
    private func image(of current: RawDocument) -> Document? {
        image == .none ? nil : Document(copying: current)
    }
}

/// What an operation did to its document.
package struct DocumentOutcome: Sendable {
    package var matched = false
    package var modified = false
    /// `_id` of the document that an upsert inserted.
    package var upsertedID: Value?
    /// The document before or after, as the operation wanted it.
    package var image: Document?

    package init(
        matched: Bool = false, modified: Bool = false, upsertedID: Value? = nil, image: Document? = nil
    ) {
        self.matched = matched
        self.modified = modified
        self.upsertedID = upsertedID
        self.image = image
    }
}

extension Value {
    static var nullRaw: RawValue { RawValue(type: .null, bytes: UnsafeRawBufferPointer(start: nil, count: 0)) }
}
