internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/core/timeseries/timeseries-limitations/#updates-and-deletes

extension UpdateStatement {
    /// In a time series nothing but the metadata may change, and only of all measurements that have it.
    ///
    /// - Throws: InvalidOptions (72).
    func check(against collection: Collection) throws(CommandError) {
        guard let fields = collection.timeseries else { return }
        guard isMulti else { throw Self.refused("Cannot perform a non-multi update on a time-series collection") }
        guard !isUpsert else { throw Self.refused("Cannot perform an upsert on a time-series collection") }
        guard let update, update.type == .document else {
            throw Self.refused("Cannot perform an update on a time-series collection using a pipeline update")
        }
        guard let meta = fields.meta else {
            throw Self.refused("Cannot perform an update on a time-series collection that has no metaField")
        }
        let touchesMetaOnly = update.withRaw { Self.touchesOnly(meta, $0) }
        guard touchesMetaOnly else {
            throw Self.refused(
                "Cannot perform an update on a time-series collection which updates a field that is "
                    + "not the metaField '\(meta)'")
        }
        guard filter.withRaw({ Self.asksOnly(for: meta, $0) }) else {
            throw Self.refused(
                "Cannot perform an update on a time-series collection when querying on a field that is "
                    + "not the metaField '\(meta)'")
        }
    }

    private static func touchesOnly(_ meta: String, _ update: RawValue) -> Bool {
        guard let operators = update.document else { return false }
        return operators.allSatisfy { modifier in
            guard !(modifier.key == "$rename"), let paths = modifier.value.document else { return false }
            return paths.allSatisfy { isMeta($0.key, meta) }
        }
    }

    /// The depth of a filter is that of its document, which is bounded.
    private static func asksOnly(for meta: String, _ filter: RawDocument) -> Bool {
        filter.allSatisfy { field in
            switch field.key {
            case "$and", "$or", "$nor":
                return field.value.array?.allSatisfy { $0.value.document.map { asksOnly(for: meta, $0) } ?? false }
                    ?? false
            case "$comment": return true
            default: return isMeta(field.key, meta)
            }
        }
    }

    private static func isMeta(_ path: RawKey, _ meta: String) -> Bool {
        let path = path.string
        return path == meta || path.utf8.starts(with: (meta + ".").utf8)
    }

    private static func refused(_ message: String) -> CommandError { CommandError(.invalidOptions, message) }
}

extension FindAndModifyArguments {
    /// - Throws: InvalidOptions (72).
    func check(against collection: Collection) throws(CommandError) {
        guard collection.timeseries != nil else { return }
        guard removes else {
            throw CommandError(
                .invalidOptions, "Cannot perform findAndModify with an update on a time-series collection")
        }
        guard sort == nil else {
            throw CommandError(.invalidOptions, "Cannot perform findAndModify with sort on a time-series collection")
        }
    }
}
