internal import BSON
internal import CommandModel
internal import Query

// https://www.mongodb.com/docs/manual/core/queryable-encryption/

/// `encryptedFields` of `create`: which fields clients encrypt before they send them, and how they can be asked for.
///
/// The catalog keeps it for the clients, who read it from `listCollections`.
struct EncryptedFieldsArgument {
    let document: Document

    init(_ argument: Argument, of namespace: Namespace) throws(CommandError) {
        document = try argument.document()
        var fields: RawDocument?
        try argument.forEachField(named: "create.encryptedFields") { option throws(CommandError) in
            switch option.key {
            case "fields": fields = try option.ifPresent(Argument.array)
            case "escCollection": try option.checkStateCollection("enxcol_.\(namespace.collection).esc")
            case "ecocCollection": try option.checkStateCollection("enxcol_.\(namespace.collection).ecoc")
            // Of a version that is gone, and still sent.
            case "eccCollection": _ = try option.ifPresent(Argument.string)
            case "strEncodeVersion": _ = try option.ifPresent(Argument.nonNegativeInteger)
            default: throw option.unknownField()
            }
        }
        guard let fields else { throw .missingField("create.encryptedFields.fields") }
        var paths = EncryptedPathSet()
        for field in fields where field.value.type != .null {
            let argument = Argument(command: "create.encryptedFields.fields", key: field.key, value: field.value)
            try paths.insert(EncryptedFieldArgument(argument).path)
        }
        try paths.check()
    }
}

extension Argument {
    fileprivate func checkStateCollection(_ name: String) throws(CommandError) {
        guard let given = try ifPresent(Argument.string), given != name else { return }
        throw CommandError(.badValue, "The collection of '\(self.name)' must be called '\(name)', not '\(given)'")
    }
}

/// The paths of a collection's encrypted fields, of which none may lie within another.
private struct EncryptedPathSet {
    private static let componentsMax = 100
    private var paths: Set<String> = []

    mutating func insert(_ path: String) throws(CommandError) {
        let components = path.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard !path.isEmpty, components.allSatisfy({ !$0.isEmpty }) else {
            throw CommandError(ErrorCode(6_316_402), "Encrypted field must have a non-empty path")
        }
        guard !path.utf8.contains(0) else {
            throw CommandError(ErrorCode(9_867_600), "The path of an encrypted field must not contain null bytes")
        }
        guard !components[0].elementsEqual("_id".utf8) else {
            throw CommandError(ErrorCode(6_316_403), "Cannot encrypt _id or its subfields")
        }
        guard components.count <= Self.componentsMax else {
            throw CommandError(.badValue, "The path of an encrypted field has more than \(Self.componentsMax) parts")
        }
        guard paths.insert(path).inserted else {
            throw CommandError(ErrorCode(6_338_402), "Duplicate paths are not allowed: '\(path)'")
        }
    }

    func check() throws(CommandError) {
        for path in paths {
            for dot in path.utf8.indices where path.utf8[dot] == UInt8(ascii: ".") {
                guard paths.contains(String(path[..<dot])) else { continue }
                throw CommandError(
                    ErrorCode(6_338_403), "Conflicting index paths found: one is part of the other: '\(path)'")
            }
        }
    }
}

/// One element of `encryptedFields.fields`.
private struct EncryptedFieldArgument {
    private(set) var path = ""

    init(_ argument: Argument) throws(CommandError) {
        var path: String?
        var hasKey = false
        var type: BSONType?
        var queries: [EncryptedQueryArgument]?
        try argument.forEachField(named: "create.encryptedFields.fields") { option throws(CommandError) in
            switch option.key {
            case "path": path = try option.ifPresent(Argument.string)
            case "keyId": hasKey = try option.ifPresent(Argument.uuid) != nil
            case "bsonType": type = try option.ifPresent(Argument.encryptedType)
            // Null is no way to leave this out.
            case "queries": queries = try option.encryptedQueries()
            default: throw option.unknownField()
            }
        }
        guard let path else { throw .missingField("create.encryptedFields.fields.path") }
        guard hasKey else { throw .missingField("create.encryptedFields.fields.keyId") }
        self.path = path
        guard let queries else { return }
        guard let type else {
            throw CommandError(
                ErrorCode(6_412_601), "The bsonType of the encrypted field '\(path)' is needed for its queries")
        }
        for query in queries { try query.check(type) }
        try EncryptedQueryArgument.checkTogether(queries)
    }
}

extension Argument {
    fileprivate func encryptedType() throws(CommandError) -> BSONType {
        let name = try string()
        let types = BSONType.named(name)
        guard let type = types.first, types.count == 1 else {
            throw CommandError(.badValue, "Unknown type name alias: \(name)")
        }
        switch type {
        case .null, .undefined, .minKey, .maxKey:
            throw CommandError(ErrorCode(6_338_406), "BSON type '\(name)' is not supported for encrypted fields")
        default: return type
        }
    }

    fileprivate func encryptedQueries() throws(CommandError) -> [EncryptedQueryArgument] {
        if value.document != nil { return [try EncryptedQueryArgument(self)] }
        guard let list = value.array else { throw wrongType(expected: "array, object") }
        guard !list.isEmpty else {
            throw CommandError(ErrorCode(9_783_412), "'queries' of an encrypted field must not be empty")
        }
        var queries: [EncryptedQueryArgument] = []
        for element in list {
            queries.append(
                try EncryptedQueryArgument(
                    Argument(command: "create.encryptedFields.fields.queries", key: element.key, value: element.value)
                ))
        }
        return queries
    }
}
