internal import BSON
internal import CommandModel
internal import Storage

extension StorageEngine {
    /// A client that names the UUID it means must not reach another collection of that name.
    ///
    /// - Throws: CollectionUUIDMismatch (361), which tells the name under which the UUID is found now.
    func checkUUID(_ uuid: [UInt8]?, of namespace: Namespace) async throws(CommandError) {
        guard let uuid else { return }
        let found = try await mapped { () async throws(StorageError) -> (isMatch: Bool, actual: String?) in
            // The UUID of a view is nobody's business.
            if let found = try await catalog.collection(namespace), found.view == nil, found.uuid == uuid {
                return (true, nil)
            }
            let all = try await catalog.collections(in: namespace.database)
            return (
                false,
                all.first { $0.collection.view == nil && $0.collection.uuid == uuid }?.collection.namespace.collection
            )
        }
        guard !found.isMatch else { return }
        throw CommandError(
            ErrorCode(361, "CollectionUUIDMismatch"), "Collection UUID does not match that specified",
            details: Document { builder in
                builder.append("db", string: namespace.database)
                builder.append("collectionUUID", binary: uuid, subtype: 4)
                builder.append("expectedCollection", string: namespace.collection)
                if let actual = found.actual {
                    builder.append("actualCollection", string: actual)
                } else {
                    builder.appendNull("actualCollection")
                }
            })
    }
}
