package import Query

extension Collection {
    /// Whether `$merge` can find the one document that it changes by the values of exactly these fields, compared by
    /// `collator`: by `_id` only so far. A unique secondary index would do as well; ``MergeChunk`` finds documents by
    /// their `id` alone.
    package func hasUniqueIndex(on fields: [String], under collator: Collator?) -> Bool {
        fields == ["_id"] && collator?.collation == self.collator?.collation
    }
}
