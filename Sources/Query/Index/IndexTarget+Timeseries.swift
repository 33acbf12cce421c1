internal import BSON
internal import CommandModel

extension IndexTarget {
    /// What a time series allows of an index.
    ///
    /// Source: https://www.mongodb.com/docs/manual/core/timeseries/timeseries-secondary-index/
    func check(_ options: IndexOptions, _ pattern: IndexKeyPattern) throws(CommandError) {
        guard case .timeseries(let time, let meta) = kind else { return }
        guard !pattern.has(.text) else { throw Self.unsupported("text indexes") }
        guard !options.isUnique, !options.preparesUnique else { throw Self.unsupported("unique indexes") }
        let measured = pattern.fields.filter { !isMeta($0.path) }
        guard options.isSparse != true || measured.isEmpty else {
            throw Self.unsupported("sparse indexes on what is measured")
        }
        for field in measured { try Self.check(field, pattern) }
        try checkExpiry(options, pattern, time, meta)
        try checkCollation(options)
    }

    private static func check(
        _ field: IndexDefinition.Field, _ pattern: IndexKeyPattern
    ) throws(CommandError) {
        switch field.kind {
        case .wildcard:
            throw CommandError(
                ErrorCode(7_246_201), "A wildcard index on a time series is one of the metadata only: \(pattern.text)")
        case .hashed, .plane:
            throw CommandError(
                .cannotCreateIndex,
                "Invalid index specification for time series: \(pattern.text): of what is measured there are no hashed "
                    + "and no 2d indexes")
        default: return
        }
    }

    private func checkExpiry(
        _ options: IndexOptions, _ pattern: IndexKeyPattern, _ time: String, _ meta: String?
    ) throws(CommandError) {
        guard options.expireAfterSeconds != nil else { return }
        let paths = options.partialFilter?.withRaw { PartialFilter.paths(of: $0) } ?? []
        guard pattern.fields[0].path == time, !paths.isEmpty, paths.allSatisfy(isMeta) else {
            throw CommandError(
                .invalidOptions,
                "TTL indexes are not supported on a time series, but for one on '\(time)' with a "
                    + "'partialFilterExpression' of '\(meta ?? "the metadata")'")
        }
    }

    /// A filter decides by the collation of the collection.
    private func checkCollation(_ options: IndexOptions) throws(CommandError) {
        guard options.partialFilter != nil,
            options.collation.collator(default: collator)?.collation != collator?.collation
        else { return }
        throw CommandError(
            .indexOptionsConflict, "a partial index on a time series must have the collation of the collection")
    }

    private static func unsupported(_ what: StaticString) -> CommandError {
        CommandError(.invalidOptions, "\(what) are not supported on a time series")
    }
}

extension PartialFilter {
    /// All that a filter names.
    static func paths(of filter: RawDocument) -> [String] {
        filter.flatMap { element -> [String] in
            switch element.key {
            case "$and", "$or": (element.value.array ?? .none).flatMap { paths(of: $0.value.document ?? .none) }
            case "$comment": []
            default: [element.key.string]
            }
        }
    }
}
