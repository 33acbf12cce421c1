package import BSON
package import CommandModel
internal import NIOConcurrencyHelpers
package import Query

/// Which indexes the queries of one shape on one collection may use: what `planCacheSetFilter` sets.
///
/// Of this server, and gone when it ends or the collection is dropped, as in MongoDB; what is to last, and to hold for
/// all servers, are query settings.
package struct IndexFilter: Sendable {
    package let shape: PlanShape
    package let query: Document
    package let sort: Document
    package let projection: Document
    package let collation: Document?
    package let indexes: AllowedIndexes

    package init(
        shape: PlanShape, query: Document, sort: Document, projection: Document, collation: Document?,
        indexes: AllowedIndexes
    ) {
        self.shape = shape
        self.query = query
        self.sort = sort
        self.projection = projection
        self.collation = collation
        self.indexes = indexes
    }
}

extension Catalog {
    /// Of all collections together.
    private static let indexFiltersMax = 10_000

    /// The index filters of a collection, in the order in which they were set.
    package func indexFilters(of collection: Collection) -> [IndexFilter] {
        indexFilters.withLockedValue { $0[collection.uuid] ?? [] }
    }

    /// Sets an index filter, in the place of one for the same shape.
    package func set(_ filter: IndexFilter, of collection: Collection) throws(CommandError) {
        let isSet = changeIndexFilters(of: collection) { filters, total in
            if let position = filters.firstIndex(where: { $0.shape == filter.shape }) {
                filters[position] = filter
                return true
            }
            guard total < Self.indexFiltersMax else { return false }
            filters.append(filter)
            return true
        }
        guard isSet else {
            throw CommandError(
                .exceededMemoryLimit, "there are \(Self.indexFiltersMax) index filters, and may be no more")
        }
    }

    /// - Parameter shape: nil for all shapes.
    package func clearIndexFilters(of collection: Collection, _ shape: PlanShape? = nil) {
        _ = changeIndexFilters(of: collection) { filters, _ in
            filters.removeAll { shape == nil || $0.shape == shape }
            return true
        }
    }

    private func changeIndexFilters(
        of collection: Collection, _ change: (inout [IndexFilter], _ total: Int) -> Bool
    ) -> Bool {
        indexFilters.withLockedValue { all in
            let total = all.reduce(0) { $0 + $1.value.count }
            var filters = all[collection.uuid] ?? []
            guard change(&filters, total) else { return false }
            all[collection.uuid] = filters.isEmpty ? nil : filters
            for entry in [collection, cached(collection.namespace)] where entry?.uuid == collection.uuid {
                entry?.indexFilters.withLockedValue { $0 = filters }
            }
            return true
        }
    }

    /// Gives an entry its filters. To be called after it is in the cache, so that a change goes to one of the two.
    func equip(_ collection: Collection) {
        indexFilters.withLockedValue { all in
            guard let filters = all[collection.uuid] else { return }
            collection.indexFilters.withLockedValue { $0 = filters }
        }
    }
}
