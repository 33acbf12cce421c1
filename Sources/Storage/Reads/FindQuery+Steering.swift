package import BSON
internal import NIOConcurrencyHelpers
package import Query

/// What narrows the choice of indexes for a query.
package enum Steering: Sendable {
    case none
    /// An index filter of this server: only these indexes, or none.
    case filter(IndexFilter)
    /// A query setting: these indexes, as long as they are of any use.
    case settings(AllowedIndexes)

    package var indexes: AllowedIndexes? {
        switch self {
        case .none: nil
        case .filter(let filter): filter.indexes
        case .settings(let allowed): allowed
        }
    }
}

extension FindQuery {
    /// What decides beside filter and indexes how the documents of a collection are found. As in MongoDB settings go
    /// before index filters, and both before a hint.
    package func steering(in collection: Collection) -> Steering {
        if let allowed = settings?.allowedIndexes(of: collection.namespace) { return .settings(allowed) }
        let filters = collection.indexFilters.withLockedValue { $0 }
        guard !filters.isEmpty else { return .none }
        let shape = planShape
        return filters.first { $0.shape == shape }.map { .filter($0) } ?? .none
    }

    /// What index filters are found by.
    package var planShape: PlanShape { planShape(with: []) }

    /// - Parameter stages: those of a pipeline behind the query that a planner would look at.
    package func planShape(with stages: [Document]) -> PlanShape {
        PlanShape(
            filter: filter.specification, sort: sort?.specification, projection: projectionSpecification,
            collation: filter.collator?.collation.document, stages: stages)
    }

    /// Whether all indexes may be tried when the allowed ones are of no use: an index filter would rather have the
    /// whole collection read, settings would not unless they say so.
    func mayLeave(_ steering: Steering) -> Bool {
        guard case .settings(let allowed) = steering else { return false }
        return allowed.scan == nil && !(allowed.containsIDIndex && usesIDIndex)
    }

    /// Lets what the server was told take the place of what the client wishes.
    mutating func follow(_ steering: Steering) {
        guard let allowed = steering.indexes, keyRange == nil else { return }
        hint = nil
        if case .backward? = allowed.scan, sort == nil { naturalDescending = true }
    }
}
