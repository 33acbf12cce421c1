internal import BSON
internal import CommandModel
internal import Query
internal import Storage

/// `index` of `collMod`: which index, and what is to become of it.
struct CollModIndex: Sendable {
    private var name: String?
    private var keyPattern: Document?
    private var expireAfterSeconds: Int32?
    private var hidden: Bool?
    private var prepareUnique: Bool?
    private(set) var makesUnique = false

    init(_ argument: Argument) throws(CommandError) {
        try argument.forEachField(named: "collMod.index") { option throws(CommandError) in
            switch option.key {
            case "name": name = try option.ifPresent(Argument.string)
            case "keyPattern": keyPattern = try option.ifPresent(Argument.document)
            case "expireAfterSeconds": expireAfterSeconds = try option.ifPresent(Argument.newExpiry)
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
    }

    /// - Throws: IndexNotFound (27), AmbiguousIndexKeyPattern (181), InvalidOptions (72).
    func modification(in collection: Collection) throws(CommandError) -> IndexModification {
        if let own = collection.ownIndex, isMeant(own) {
            try checkOwn(collection)
            return IndexModification()
        }
        let found = collection.secondaryIndexes.filter { isMeant($0.definition.specification) }
        guard let index = found.first else {
            throw CommandError(
                .indexNotFound,
                "cannot find index \(name?.prefix(200) ?? "by its key pattern") for ns \(collection.namespace)")
        }
        guard found.count == 1 else {
            throw CommandError(
                .ambiguousIndexKeyPattern,
                "index keyPattern matches \(found.count) indexes, must use index name. Conflicting indexes: "
                    + found.map(\.definition.name).joined(separator: ", "))
        }
        return try modification(of: index)
    }

    private func isMeant(_ specification: Document) -> Bool {
        if let name { return specification.indexName.utf8.elementsEqual(name.utf8) }
        return keyPattern.map { specification.hasKey($0) } ?? false
    }

    /// The index that comes with the collection stays as it is.
    private func checkOwn(_ collection: Collection) throws(CommandError) {
        if collection.isClustered, hidden != nil {
            throw CommandError(
                ErrorCode(6_011_800),
                "the clustered index of \(collection.namespace) can be neither hidden nor shown")
        }
        guard collection.isKeyedByID else {
            throw CommandError(.invalidOptions, "the index that comes with a time series stays as it is")
        }
        if hidden == true { throw CommandError(.badValue, "can't hide _id index") }
        if expireAfterSeconds != nil { throw CommandError(.invalidOptions, "the _id index does not support TTL") }
        if prepareUnique == true {
            throw CommandError(.invalidOptions, "the _id index is unique already")
        }
    }
}

// What becomes of an index.
extension CollModIndex {
    private func modification(of index: SecondaryIndex) throws(CommandError) -> IndexModification {
        let definition = index.definition
        var result = IndexModification(index: index)
        var specification = definition.specification
        if let expireAfterSeconds {
            try checkExpiry(definition)
            result.oldExpiry = definition.expireAfterSeconds.flatMap { Int64(exactly: $0) }
            result.newExpiry = Int64(expireAfterSeconds)
            specification = specification.replacing("expireAfterSeconds", with: .int32(expireAfterSeconds))
        }
        if let hidden, hidden != definition.isHidden {
            result.hidden = hidden
            specification = specification.replacing("hidden", with: hidden ? .bool(true) : nil)
        }
        let preparesUnique = specification.withRaw { $0["prepareUnique"]?.bool ?? false }
        if let prepareUnique, prepareUnique != preparesUnique {
            guard expireAfterSeconds == nil, hidden == nil, !makesUnique else {
                throw CommandError(
                    .invalidOptions, "cannot combine a change of 'prepareUnique' with any other modification")
            }
            try checkUniqueness(definition)
            result.prepareUnique = prepareUnique
            specification = specification.replacing("prepareUnique", with: prepareUnique ? .bool(true) : nil)
        }
        if makesUnique, !definition.isUnique {
            guard preparesUnique else {
                throw CommandError(.invalidOptions, "Cannot make index unique with 'prepareUnique=false'")
            }
            try checkUniqueness(definition)
            result.makesUnique = true
            specification = specification.replacing("prepareUnique", with: nil).replacing("unique", with: .bool(true))
        }
        result.specification = specification == definition.specification ? nil : specification
        return result
    }

    private func checkExpiry(_ definition: IndexDefinition) throws(CommandError) {
        guard definition.keyPattern.withRaw({ $0.elementCount == 1 }), definition.fields[0].kind != .wildcard else {
            throw CommandError(.invalidOptions, "TTL indexes are single-field indexes, and this one has several")
        }
    }

    private func checkUniqueness(_ definition: IndexDefinition) throws(CommandError) {
        guard definition.fields.allSatisfy({ $0.kind != .wildcard && $0.kind != .hashed }) else {
            throw CommandError(.invalidOptions, "an index of this kind cannot be unique")
        }
    }
}

/// A change of one index, and what is told of it.
struct IndexModification: Sendable {
    fileprivate(set) var index: SecondaryIndex?
    /// After the change; nil when there is none.
    fileprivate var specification: Document?
    fileprivate var oldExpiry: Int64?
    fileprivate var newExpiry: Int64?
    fileprivate var hidden: Bool?
    fileprivate var prepareUnique: Bool?
    fileprivate(set) var makesUnique = false

    /// An index that becomes unique is built anew, and as such.
    func changes() throws(CommandError) -> [IndexChange] {
        guard let index, let specification else { return [] }
        guard makesUnique else { return [.respecify(index.number, specification)] }
        return [.drop(index.number), .create(try IndexDefinition(specification))]
    }

    func write(into builder: inout DocumentBuilder) {
        if let oldExpiry { builder.append("expireAfterSeconds_old", int64: oldExpiry) }
        if let newExpiry { builder.append("expireAfterSeconds_new", int64: newExpiry) }
        if let hidden {
            builder.append("hidden_old", bool: !hidden)
            builder.append("hidden_new", bool: hidden)
        }
        if makesUnique { builder.append("unique_new", bool: true) }
        if let prepareUnique {
            builder.append("prepareUnique_old", bool: !prepareUnique)
            builder.append("prepareUnique_new", bool: prepareUnique)
        }
    }
}

// The command's part of it.
extension CollModIndex {
    /// - Parameter isDryRun: only says whether the index could become unique.
    /// - Returns: what has changed.
    /// - Throws: CannotConvertIndexToUnique (359).
    func apply(
        to namespace: Namespace, isDryRun: Bool, _ context: CommandContext
    ) async throws(CommandError) -> IndexModification {
        if makesUnique, let collection = try await context.documents.collection(namespace) {
            try await checkDuplicates(in: collection, context)
        }
        if isDryRun { return IndexModification() }
        let changed: (before: Collection, isNew: Bool)?
        do throws(CommandError) {
            changed = try await context.documents.changeIndexes(of: namespace) { collection throws(CommandError) in
                try modification(in: collection).changes()
            }
        } catch {
            guard makesUnique, error.code == .duplicateKey else { throw error }
            throw Self.notUnique([])
        }
        guard let changed else { throw CommandError(.namespaceNotFound, "ns does not exist: \(namespace)") }
        return try modification(in: changed.before)
    }

    private func checkDuplicates(
        in collection: Collection, _ context: CommandContext
    ) async throws(CommandError) {
        guard let index = try modification(in: collection).index, !index.definition.isUnique else { return }
        let violations = try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.duplicates(in: index, of: collection)
        }
        guard violations.isEmpty else { throw Self.notUnique(violations) }
    }

    private static func notUnique(_ violations: [[Value]]) -> CommandError {
        CommandError(
            .cannotConvertIndexToUnique,
            "Cannot convert the index to unique. Please resolve conflicting documents before running collMod again.",
            details: Document { builder in
                builder.beginArray("violations")
                for (place, ids) in violations.enumerated() {
                    builder.beginDocument(index: place)
                    builder.beginArray("ids")
                    for (position, id) in ids.enumerated() { builder.append(index: position, id) }
                    builder.end()
                    builder.end()
                }
                builder.end()
            })
    }
}

extension Argument {
    fileprivate func uniqueFlag() throws(CommandError) -> Bool {
        guard try lenientBool() else {
            throw CommandError(.badValue, "'unique: false' is not supported: an index cannot be made non-unique")
        }
        return true
    }

    fileprivate func newExpiry() throws(CommandError) -> Int32 {
        let seconds = try integer()
        guard seconds >= 0 else {
            throw CommandError(.invalidOptions, "expireAfterSeconds must not be negative")
        }
        return Int32(clamping: seconds)
    }
}
