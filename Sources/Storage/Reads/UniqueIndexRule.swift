package import Query

extension Collection {
    /// Whether `$merge` can find the one document that it changes by the values of exactly these fields, compared by
    /// `collator`.
    package func hasUniqueIndex(on fields: [String], under collator: Collator?) -> Bool {
        let isByID = fields == ["_id"] && collator?.collation == self.collator?.collation
        return isByID || uniqueIndex(on: fields, under: collator) != nil
    }

    /// The secondary index for that: one that holds all documents, if there is one.
    package func uniqueIndex(on fields: [String], under collator: Collator?) -> SecondaryIndex? {
        let fitting = readyIndexes.filter { $0.definition.isUnique(on: fields, under: collator) }
        return fitting.first { !$0.definition.isSparse } ?? fitting.first
    }
}

extension IndexDefinition {
    fileprivate func isUnique(on paths: [String], under collator: Collator?) -> Bool {
        guard isUnique, partialFilter == nil, collator?.collation == self.collator?.collation else { return false }
        guard fields.allSatisfy({ $0.kind == .ascending || $0.kind == .descending }) else { return false }
        return fields.count == paths.count && Set(fields.map(\.path)) == Set(paths)
    }
}
