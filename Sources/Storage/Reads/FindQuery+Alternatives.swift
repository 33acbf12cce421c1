internal import Query

extension FindQuery {
    /// The same query by the other indexes that it could have been answered by, without how it is.
    package func alternatives(in collection: Collection) -> [FindQuery] {
        guard collection.hasIndexes, keyRange == nil, mayUseSecondaryKeys(of: collection) else { return [] }
        var asked = self
        let steering = steering(in: collection)
        asked.follow(steering)
        // A hint leaves nothing to choose.
        guard asked.hint == nil else { return [] }
        var indexes = collection.readyIndexes
        if let allowed = steering.indexes { indexes = indexes.filter { allowed.contain($0.definition) } }
        let plans = planner(among: indexes, describing: true).alternatives(asked.planRequest)
        return plans.map { Access($0, of: indexes) }.filter { !$0.isSameChoice(as: access) }.map { other in
            var query = self
            query.access = other
            return query
        }
    }
}

extension Access {
    fileprivate func isSameChoice(as other: Access) -> Bool {
        switch (self, other) {
        case (.keys(let left), .keys(let right)): left.index.number == right.index.number
        case (.union, .union): true
        default: false
        }
    }
}
