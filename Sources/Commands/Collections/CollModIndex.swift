internal import BSON
internal import CommandModel
internal import Storage

/// `index` of `collMod`: which index, and what is to become of it.
struct CollModIndex {
    private var name: String?
    private var keyPattern: Document?
    private var expireAfterSeconds: Int64?
    private var hidden: Bool?
    private var prepareUnique: Bool?
    private(set) var makesUnique = false

    init(_ argument: Argument) throws(CommandError) {
        try argument.forEachField(named: "collMod.index") { option throws(CommandError) in
            switch option.key {
            case "name": name = try option.ifPresent(Argument.string)
            case "keyPattern": keyPattern = try option.ifPresent(Argument.document)
            case "expireAfterSeconds": expireAfterSeconds = try option.ifPresent(Argument.integer)
            case "hidden": hidden = try option.ifPresent(Argument.lenientBool)
            case "prepareUnique": prepareUnique = try option.ifPresent(Argument.lenientBool)
            case "unique": makesUnique = try option.ifPresent(Argument.uniqueFlag) ?? false
            default: throw option.unknownField()
            }
        }
        guard (name == nil) != (keyPattern == nil) else {
            throw CommandError(.invalidOptions, "Must specify either index name or key pattern, and not both")
        }
        guard expireAfterSeconds != nil || hidden != nil || prepareUnique != nil || makesUnique else {
            throw CommandError(
                .invalidOptions, "no expireAfterSeconds, hidden, unique, or prepareUnique field to change")
        }
        guard expireAfterSeconds.map({ $0 >= 0 }) ?? true else {
            throw CommandError(.invalidOptions, "expireAfterSeconds must not be negative")
        }
    }

    /// The only index of a collection is the one on `_id`, and it stays as it is.
    func check(against collection: Collection) throws(CommandError) {
        let namespace = collection.namespace
        if collection.isClustered, name == "_id_", hidden != nil {
            throw CommandError(
                ErrorCode(6_011_800), "the clustered index of \(namespace) can be neither hidden nor shown")
        }
        let isID = !collection.isClustered && collection.isKeyedByID && isOnID
        guard isID else {
            throw CommandError(.indexNotFound, "cannot find index \(name ?? "by its key pattern") for ns \(namespace)")
        }
        try checkChanges()
    }

    private var isOnID: Bool {
        keyPattern?.withRaw { $0.elementCount == 1 && $0["_id"]?.number?.asDouble == 1 } ?? (name == "_id_")
    }

    private func checkChanges() throws(CommandError) {
        if hidden == true { throw CommandError(.badValue, "can't hide _id index") }
        if expireAfterSeconds != nil { throw CommandError(.invalidOptions, "the _id index does not support TTL") }
        if prepareUnique == true {
            throw CommandError(.invalidOptions, "the _id index is unique already")
        }
    }
}

extension Argument {
    fileprivate func uniqueFlag() throws(CommandError) -> Bool {
        guard try lenientBool() else {
            throw CommandError(.badValue, "'unique: false' is not supported: an index cannot be made non-unique")
        }
        return true
    }
}
