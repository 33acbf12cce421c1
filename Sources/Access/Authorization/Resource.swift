package import BSON
package import CommandModel

/// What a command touches.
package enum Target: Sendable, Hashable {
    case collection(Namespace)
    /// A database as such: what is made in it, or listed of it.
    case database(String)
    case cluster
}

/// What a privilege holds for.
///
/// Source: https://www.mongodb.com/docs/manual/reference/resource-document/
package enum Resource: Sendable, Hashable {
    /// An empty database stands for all of them, an empty collection for all that are not the system's.
    case collection(Namespace)
    case cluster
    case any

    package static func collection(_ database: String, _ collection: String) -> Resource {
        .collection(Namespace(database: database, collection: collection))
    }

    /// The database that a privilege for this belongs to; nil for more than one.
    package var database: String? {
        guard case .collection(let namespace) = self, !namespace.database.isEmpty else { return nil }
        return namespace.database
    }

    package func covers(_ target: Target) -> Bool {
        switch (self, target) {
        case (.any, _), (.cluster, .cluster): return true
        case (.collection(let pattern), .collection(let named)):
            // The buckets of a time series hold what it holds.
            let namespace = named.ofBuckets ?? named
            guard pattern.database.isEmpty || pattern.database.hasSameBytes(as: namespace.database) else {
                return false
            }
            return pattern.collection.isEmpty
                ? !namespace.isSystem : pattern.collection.hasSameBytes(as: namespace.collection)
        case (.collection(let pattern), .database(let database)):
            return pattern.collection.isEmpty
                && (pattern.database.isEmpty || pattern.database.hasSameBytes(as: database))
        case (.collection, .cluster), (.cluster, _): return false
        }
    }
}

extension Namespace {
    /// What a privilege for all collections leaves out.
    package var isSystem: Bool {
        collection.utf8.starts(with: "system.".utf8)
            || database == "local" && collection.utf8.starts(with: "replset.".utf8)
    }
}

// As documents.
extension Resource {
    /// - Throws: FailedToParse (9).
    init(_ document: RawDocument) throws(CommandError) {
        var (database, collection): (String?, String?)
        var (isCluster, isAny) = (false, false)
        for field in document {
            let argument = Argument(command: "resource", key: field.key, value: field.value)
            switch field.key {
            case "db": database = try argument.string()
            case "collection": collection = try argument.string()
            case "cluster": isCluster = try argument.bool()
            case "anyResource": isAny = try argument.bool()
            default: throw argument.unknownField()
            }
        }
        switch (database, collection, isCluster, isAny) {
        case (let database?, let collection?, false, false):
            guard !database.utf8.contains(0), !collection.utf8.contains(0) else {
                throw CommandError(.badValue, "a resource must not contain a null byte")
            }
            self = .collection(database, collection)
        case (nil, nil, true, false): self = .cluster
        case (nil, nil, false, true): self = .any
        default:
            throw CommandError(
                .failedToParse,
                "a resource is one of {db: <string>, collection: <string>}, {cluster: true} and {anyResource: true}")
        }
    }

    func write(into builder: inout DocumentBuilder) {
        builder.beginDocument("resource")
        switch self {
        case .collection(let namespace):
            builder.append("db", string: namespace.database)
            builder.append("collection", string: namespace.collection)
        case .cluster: builder.append("cluster", bool: true)
        case .any: builder.append("anyResource", bool: true)
        }
        builder.end()
    }
}
