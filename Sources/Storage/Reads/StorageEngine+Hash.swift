package import BSON
package import CommandModel
internal import Crypto
internal import Postgres

/// What `dbHash` tells of a collection.
package struct CollectionHash: Sendable {
    package let name: String
    package let uuid: [UInt8]
    package let isCapped: Bool
    /// In hexadecimal digits.
    package let md5: String
}

extension StorageEngine {
    /// A sum of the documents of each collection, in the order of `_id`, of one moment.
    package func hashes(
        ofDatabase database: String, among names: Set<String>, deadline: Deadline
    ) async throws(CommandError) -> [CollectionHash] {
        let collections = try await mapped { () async throws(StorageError) in
            try await catalog.collections(in: database).map(\.collection)
        }
        let wanted = collections.filter { collection in
            collection.view == nil && collection.namespace.collection != "system.profile"
                && (names.isEmpty || names.contains(collection.hashedName))
        }
        let transaction = try await OpenTransaction.open(on: transactions.lanes, isolation: .snapshot, isReadOnly: true)
        let result = await hashes(of: wanted, in: transaction, deadline)
        await transaction.abort()
        var hashes = try result.get()
        let views = collections.filter { $0.view != nil }
        if !views.isEmpty, names.isEmpty || names.contains("system.views") { hashes.append(Self.hash(ofViews: views)) }
        return hashes.sorted { $0.name < $1.name }
    }

    private func hashes(
        of collections: [Collection], in transaction: OpenTransaction, _ deadline: Deadline
    ) async -> Result<[CollectionHash], CommandError> {
        var hashes: [CollectionHash] = []
        do throws(StorageError) {
            for collection in collections {
                let digest = try await transaction.withConnection(until: deadline) { connection throws(StorageError) in
                    try Self.digest(of: collection, on: connection, deadline)
                }
                hashes.append(
                    CollectionHash(
                        name: collection.hashedName, uuid: collection.uuid, isCapped: collection.isCapped, md5: digest))
            }
            return .success(hashes)
        } catch { return .failure(CommandError(error)) }
    }

    private static func digest(
        of collection: Collection, on connection: Connection, _ deadline: Deadline
    ) throws(StorageError) -> String {
        var sum = Insecure.MD5()
        let plan = ScanPlan(collection, order: .id(descending: false))
        _ = try Scanner(on: connection, deadline: deadline).forEachRow(of: plan) { row throws(StorageError) in
            sum.update(bufferPointer: row.document.bytes)
            return true
        }
        return hexadecimal(sum.finalize())
    }

    /// Views are the documents of a collection, too: it has no UUID of its own here, so it goes by its first view's.
    private static func hash(ofViews views: [Collection]) -> CollectionHash {
        var sum = Insecure.MD5()
        for view in views {
            sum.update(data: Array(view.namespace.collection.utf8))
            view.options.withRaw { sum.update(bufferPointer: $0.bytes) }
        }
        return CollectionHash(
            name: "system.views", uuid: views.first?.uuid ?? [], isCapped: false, md5: hexadecimal(sum.finalize()))
    }

    /// The sum over the sums of a database.
    package static func hash(of hashes: [CollectionHash]) -> String {
        var sum = Insecure.MD5()
        for hash in hashes where !hash.isCapped {
            sum.update(data: Array(hash.name.utf8))
            sum.update(data: Array(hash.md5.utf8))
        }
        return hexadecimal(sum.finalize())
    }

    private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}

extension Collection {
    /// The measurements of a time series are summed under the name of its buckets, where MongoDB has them.
    fileprivate var hashedName: String { timeseries == nil ? namespace.collection : namespace.buckets.collection }
}
