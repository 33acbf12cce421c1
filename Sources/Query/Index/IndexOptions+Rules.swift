internal import BSON
internal import CommandModel

// Which options suit which keys, and each other.
extension IndexOptions {
    /// Of the index on `_id`, of which there is one kind.
    func checkID(_ pattern: IndexKeyPattern, _ target: IndexTarget) throws(CommandError) {
        guard pattern.isExactID else {
            throw CommandError(.badValue, "The field 'key' for an _id index must be {_id: 1}, but got \(pattern.text)")
        }
        let isClustering = isClustered && target.kind == .clustered
        for option in names where !["key", "name", "v", "ns", "collation"].contains(option) {
            if isClustering, option == "clustered" || option == "unique" { continue }
            throw CommandError(
                .invalidIndexSpecificationOption, "The field '\(option)' is not valid for an _id index specification")
        }
        guard collation.collator(default: target.collator)?.collation == target.collator?.collation else {
            throw CommandError(.badValue, "The _id index must have the same collation as the collection")
        }
    }

    func check(_ pattern: IndexKeyPattern, _ target: IndexTarget) throws(CommandError) {
        guard name != "_id_" else {
            throw CommandError(
                .badValue, "The index name '_id_' is reserved for the _id index, which must have key pattern {_id: 1}")
        }
        guard !isClustered else {
            throw CommandError(.invalidOptions, "'clustered' is for the key {_id: 1} of a clustered collection only")
        }
        try checkUnique(pattern)
        try checkPartial(target)
        try checkExpiry(pattern)
        try checkCollation(pattern, target)
        try checkWildcard(pattern)
        try checkSpecial(pattern)
    }

    private func checkUnique(_ pattern: IndexKeyPattern) throws(CommandError) {
        guard isUnique || preparesUnique else { return }
        if pattern.has(.hashed) {
            throw CommandError(ErrorCode(16764), "Currently hashed indexes cannot guarantee uniqueness.")
        }
        if pattern.has(.wildcard) {
            throw CommandError(.cannotCreateIndex, "Index type 'wildcard' does not support the unique option")
        }
    }

    private func checkPartial(_ target: IndexTarget) throws(CommandError) {
        guard let partialFilter else { return }
        guard isSparse != true else {
            throw CommandError(
                .cannotCreateIndex, "cannot mix \"partialFilterExpression\" and \"sparse\" options")
        }
        try PartialFilter.check(partialFilter, collator: collation.collator(default: target.collator))
    }

    private func checkExpiry(_ pattern: IndexKeyPattern) throws(CommandError) {
        guard expireAfterSeconds != nil else { return }
        guard pattern.fields.count == 1, !pattern.has(.wildcard) else {
            throw CommandError(
                .cannotCreateIndex,
                "TTL indexes are single-field indexes, compound indexes do not support TTL. "
                    + "Index specification: \(pattern.text)")
        }
    }

    private func checkCollation(_ pattern: IndexKeyPattern, _ target: IndexTarget) throws(CommandError) {
        guard collation.collator(default: target.collator) != nil else { return }
        guard !pattern.has(.text), !pattern.has(.plane) else {
            throw CommandError(
                .cannotCreateIndex,
                "Index type '\(pattern.has(.text) ? "text" : "2d")' does not support collation: \(pattern.text)")
        }
        guard version >= 2 else {
            throw CommandError(
                .cannotCreateIndex, "Invalid index specification: an index with a collation must be of version 2")
        }
    }

    private func checkSpecial(_ pattern: IndexKeyPattern) throws(CommandError) {
        guard weights == nil || pattern.has(.text) else {
            throw CommandError(.cannotCreateIndex, "the option 'weights' is for text indexes only")
        }
        guard version >= 2 || !pattern.has(.wildcard) else {
            throw CommandError(.cannotCreateIndex, "A wildcard index must be of version 2")
        }
        let (low, high) = (min ?? -180, max ?? 180)
        guard !pattern.has(.plane) || low < high else {
            throw CommandError(
                .invalidOptions, "region for hash must be valid and have positive area, but [\(low), \(high)]")
        }
    }

    /// What the catalog keeps although nobody said it.
    mutating func completeVersions(_ pattern: IndexKeyPattern) {
        if pattern.has(.sphere), sphereVersion == nil { sphereVersion = 3 }
    }
}

// `wildcardProjection`
extension IndexOptions {
    private func checkWildcard(_ pattern: IndexKeyPattern) throws(CommandError) {
        guard let wildcard = pattern.fields.first(where: { $0.kind == .wildcard }) else {
            guard wildcardProjection == nil else {
                throw CommandError(
                    .badValue, "The field 'wildcardProjection' is only allowed in an 'wildcard' index")
            }
            return
        }
        guard isSparse != true else {
            throw CommandError(.cannotCreateIndex, "Index type 'wildcard' does not support the sparse option")
        }
        if let wildcardProjection {
            try Self.check(wildcardProjection, wildcard)
        }
        for field in pattern.fields where field.kind != .wildcard { try check(field, beside: wildcard) }
    }

    private static func check(
        _ projection: Document, _ wildcard: IndexDefinition.Field
    ) throws(CommandError) {
        guard wildcard.path.isEmpty else {
            throw CommandError(
                .failedToParse, "The field 'wildcardProjection' is only allowed when 'key' is {\"$**\": ±1}")
        }
        guard !projection.isEmpty else {
            throw CommandError(.failedToParse, "The 'wildcardProjection' field can't be an empty object")
        }
        try projection.withRaw { raw throws(CommandError) in
            try WildcardProjection.checkValues(raw, depth: 0)
            try WildcardProjection.checkPaths(raw)
            _ = try Projection(compiling: raw, dialect: .stage)
        }
    }

    /// No path may be in two fields of a compound index: what stands beside the wildcard is not within it.
    private func check(
        _ field: IndexDefinition.Field, beside wildcard: IndexDefinition.Field
    ) throws(CommandError) {
        guard wildcard.path.isEmpty else {
            guard !field.path.overlaps(wildcard.path) else {
                throw CommandError(
                    ErrorCode(7_246_208), "the fields of a compound wildcard index overlap: '\(field.path)'")
            }
            return
        }
        guard let wildcardProjection else {
            throw CommandError(
                .cannotCreateIndex,
                "Compound wildcard indexes on all fields must have a 'wildcardProjection' that leaves out the others")
        }
        guard !wildcardProjection.withRaw({ WildcardProjection.shows(field.path, $0) }) else {
            throw CommandError(
                ErrorCode(7_246_209), "wildcardProjection must leave out the regular field '\(field.path)'")
        }
    }
}

extension String {
    /// Whether one path is the other, or lies within it.
    func overlaps(_ other: String) -> Bool {
        let (mine, others) = ((self + ".").utf8, (other + ".").utf8)
        return mine.starts(with: others) || others.starts(with: mine)
    }
}
