internal import BSON
internal import CommandModel
internal import Query

/// The column `options` of the catalog: what `create` was given, and beside a collation the version of ICU's data that
/// the keys of `_id` are made with.
///
/// Another version of ICU may order text differently. Keys made with it would not be found, and duplicates would not
/// be seen, so that the collection is refused until it has been dumped and restored.
struct CatalogOptions {
    /// As `listCollections` shows them.
    let options: Document
    let collator: Collator?
    private let dataVersion: String?

    /// No option of `create` begins with a dollar.
    private static let dataVersionName: StaticString = "$collationData"

    /// The column for a new collection.
    static func column(for options: Document) throws(StorageError) -> Document {
        try options.withRaw { raw throws(StorageError) in
            guard let collator = try collator(of: raw) else { return options }
            return Document { builder in
                for option in raw { builder.append(option) }
                builder.append(dataVersionName, string: collator.dataVersion)
            }
        }
    }

    init(column: RawDocument) throws(StorageError) {
        collator = try Self.collator(of: column)
        dataVersion = column[Self.dataVersionName]?.string
        options = Document { builder in
            for option in column where !(option.key == Self.dataVersionName) { builder.append(option) }
        }
    }

    /// - Throws: IncompatibleCollationVersion (161).
    func checkData(of namespace: Namespace) throws(StorageError) {
        guard let collator, let dataVersion, collator.dataVersion != dataVersion else { return }
        throw .command(
            CommandError(
                .incompatibleCollationVersion,
                "the keys of \(namespace) were made with version \(dataVersion) of ICU's collation data, this server "
                    + "has \(collator.dataVersion): dump the collection with a server that has the old one, and restore"
            ))
    }

    private static func collator(of options: RawDocument) throws(StorageError) -> Collator? {
        guard let value = options["collation"] else { return nil }
        do throws(CommandError) {
            let collation = try Collation(Argument(command: "create", key: RawKey("collation"), value: value))
            return try collation.map { collation throws(CommandError) in try Collator.shared(for: collation) }
        } catch { throw .command(error) }
    }
}
