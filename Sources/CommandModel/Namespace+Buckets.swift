extension Namespace {
    /// The collection that holds the buckets of a time series in MongoDB.
    package var buckets: Namespace { Namespace(database: database, collection: "system.buckets." + collection) }

    /// The time series whose buckets this would hold; nil when it has another name.
    package var ofBuckets: Namespace? {
        let prefix = "system.buckets."
        guard collection.utf8.starts(with: prefix.utf8) else { return nil }
        return Namespace(database: database, collection: String(collection.dropFirst(prefix.count)))
    }
}
