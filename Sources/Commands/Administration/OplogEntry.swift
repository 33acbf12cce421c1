internal import BSON
internal import CommandModel
internal import Query

/// One element of `applyOps`: what an oplog tells of a write. Pure; ``CommandTable/applyOps(_:_:)`` carries it out.
struct OplogEntry {
    enum Action {
        /// Replaces a document that there is with this `_id`: an entry may be applied again.
        case insert(Document)
        case update(UpdateProgram, isUpsert: Bool)
        case delete
        /// A command, as a client would send it.
        case command(Document, database: String)
        case nothing
    }

    let action: Action
    /// Of a write.
    private(set) var namespace = Namespace(database: "", collection: "")
    private(set) var id = Value.null
    /// The collection must have it.
    private(set) var collectionUUID: [UInt8]?

    /// - Parameter index: its place, for messages.
    init(_ entry: RawDocument, at index: Int) throws(CommandError) {
        guard let op = entry["op"] else {
            throw CommandError(.noSuchKey, "applyOps.\(index): missing expected field \"op\"")
        }
        guard let kind = op.string else { throw .wrongType("applyOps.op", op, expected: "string") }
        guard !kind.isEmpty else { throw CommandError(.illegalOperation, "applyOps.\(index): op is empty") }
        let name = entry["ns"]?.string ?? ""
        guard kind == "n" || !name.isEmpty else {
            throw CommandError(.illegalOperation, "applyOps.\(index): ns must be the name of a collection")
        }
        guard let content = entry["o"]?.document else { throw .missingField("applyOps.o") }
        try Self.checkFields(of: entry)
        switch kind {
        case "n": action = .nothing
        case "c":
            guard entry["ui"] == nil else {
                throw CommandError(
                    .commandNotSupported,
                    "applyOps.\(index): a collection gets its UUID from the server: leave out 'ui', and --preserveUUID")
            }
            action = try Self.command(content, name)
        case "i", "u", "d":
            let key = kind == "u" ? entry["o2"]?.document : content
            guard let id = key?["_id"] else {
                throw CommandError(.noSuchKey, "applyOps.\(index): the _id of the document is missing")
            }
            try StoredDocument.checkID(id)
            self.id = Value(copying: id)
            namespace = try Namespace(splitting: name)
            collectionUUID = try entry.uuid
            action =
                switch kind {
                case "i": .insert(Document(copying: content))
                case "u": .update(try Self.program(content), isUpsert: entry["b"]?.bool ?? false)
                default: .delete
                }
        default: throw CommandError(.badValue, "applyOps.\(index): no operation is called '\(kind.prefix(100))'")
        }
    }

    /// What an oplog tells beside the write.
    private static func checkFields(of entry: RawDocument) throws(CommandError) {
        for field in entry {
            switch field.key {
            case "op", "ns", "o", "o2", "b", "ui", "ts", "t", "h", "v", "wall", "lsid", "txnNumber", "stmtId",
                "prevOpTime",
                "preImageOpTime", "postImageOpTime", "fromMigrate", "tid":
                continue
            default: throw Argument(command: "applyOps", key: field.key, value: field.value).unknownField()
            }
        }
    }

    private static func program(_ content: RawDocument) throws(CommandError) -> UpdateProgram {
        guard content.firstElement?.key.startsWithDollar ?? false else {
            return try UpdateProgram(compiling: .document(Document(copying: content)), keepsEmptyTimestamps: true)
        }
        guard content["$v"]?.number?.asInt64Exact == 2, let delta = content["diff"]?.document else {
            throw CommandError(.badValue, "applyOps takes updates as replacements and as {$v: 2, diff: …}")
        }
        return UpdateProgram(applying: try DocumentDelta(delta))
    }
}

// Commands.
extension OplogEntry {
    private static func command(_ content: RawDocument, _ namespace: String) throws(CommandError) -> Action {
        guard let first = content.firstElement else { throw CommandError(.badValue, "applyOps: an empty command") }
        let database = namespace.hasSuffix(".$cmd") ? String(namespace.dropLast(5)) : namespace
        switch first.key {
        case "create", "collMod", "drop", "dropDatabase", "dropIndexes", "deleteIndexes":
            return .command(Document(copying: content), database: database)
        case "renameCollection": return .command(Document(copying: content), database: "admin")
        case "createIndexes", "commitIndexBuild":
            return .command(creation(of: content, first.value), database: database)
        default:
            throw CommandError(.badValue, "applyOps does not apply the command '\(first.key.string.prefix(100))'")
        }
    }

    /// An oplog has the fields of one index beside the name of the collection.
    private static func creation(of content: RawDocument, _ collection: RawValue) -> Document {
        Document { builder in
            builder.append("createIndexes", collection)
            if let indexes = content["indexes"] { return builder.append("indexes", indexes) }
            builder.beginArray("indexes")
            builder.beginDocument(index: 0)
            for field in content.dropFirst() { builder.append(field) }
            builder.end()
            builder.end()
        }
    }
}

extension RawDocument {
    fileprivate var uuid: [UInt8]? {
        get throws(CommandError) {
            guard let field = first(where: { $0.key == "ui" }) else { return nil }
            return try Argument(command: "applyOps", key: field.key, value: field.value).uuid()
        }
    }
}
