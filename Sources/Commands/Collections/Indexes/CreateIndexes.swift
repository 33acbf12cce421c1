internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/createIndexes/

private struct CreateIndexesArguments: Sendable {
    let namespace: Namespace
    private let specifications: [Document]
    private var ignoresUnknownOptions = false

    init(_ request: CommandRequest) throws(CommandError) {
        namespace = try request.namespace()
        var specifications: [Document]? = request.sequence("indexes")
        var ignores = false
        try request.forEachArgument(of: "createIndexes") { argument throws(CommandError) in
            switch argument.key {
            case "indexes": specifications = try argument.documents()
            case "ignoreUnknownIndexOptions": ignores = try argument.ifPresent(Argument.lenientBool) ?? false
            case "commitQuorum": _ = try argument.ifPresent(Argument.checkCommitQuorum)
            default: throw argument.unknownField()
            }
        }
        guard let specifications else { throw .missingField("createIndexes.indexes") }
        guard !specifications.isEmpty else {
            throw CommandError(.badValue, "Must specify at least one index to create")
        }
        guard specifications.count <= 1_000 else {
            throw CommandError(.badValue, "more than 1000 indexes in one command")
        }
        self.specifications = specifications
        ignoresUnknownOptions = ignores
        try SystemCollections.check(namespace)
        guard namespace.collection != "system.views" else {
            throw CommandError(.cannotCreateIndex, "cannot create an index on \(namespace)")
        }
    }

    /// What is asked for and not there.
    func missing(in collection: Collection) throws(CommandError) -> [IndexSpecification] {
        guard collection.view == nil else { throw .notSupportedOnView(namespace) }
        let target = collection.indexTarget(ignoringUnknownOptions: ignoresUnknownOptions)
        var wanted: [IndexSpecification] = []
        for specification in specifications {
            wanted.append(try IndexSpecification(specification, for: target))
        }
        return try IndexSpecification.missing(wanted, existing: collection.listedIndexes)
    }

    /// What is to be done: to make what is missing, and to wait for what somebody builds already.
    func changes(of collection: Collection) throws(CommandError) -> [IndexChange] {
        let missing = try missing(in: collection)
        let target = collection.indexTarget(ignoringUnknownOptions: ignoresUnknownOptions)
        var names: Set<String> = []
        for specification in specifications {
            names.insert(try IndexSpecification(specification, for: target).definition.name)
        }
        let building = collection.secondaryIndexes.filter { !$0.isReady && names.contains($0.definition.name) }
        return missing.map { .create($0.definition) } + building.map { .await($0.number) }
    }
}

extension CommandTable {
    @Sendable static func createIndexes(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let arguments = try CreateIndexesArguments(request)
        let changed = try await context.documents.changeIndexes(of: arguments.namespace, creating: .empty) {
            collection throws(CommandError) in
            try arguments.changes(of: collection)
        }
        guard let (collection, isNew) = changed else {
            throw CommandError(.namespaceNotFound, "ns does not exist: \(arguments.namespace)")
        }
        let added = try arguments.missing(in: collection).count
        return CommandReply { builder in
            builder.append("numIndexesBefore", int32: collection.indexCount)
            builder.append("numIndexesAfter", int32: collection.indexCount + Int32(clamping: added))
            if added > 0 || isNew { builder.append("createdCollectionAutomatically", bool: isNew) }
            if added > 0 { builder.append("commitQuorum", string: "votingMembers") }
            if added == 0 { builder.append("note", string: "all indexes already exist") }
            request.shared.writeUnsatisfiedConcern(into: &builder)
        }
    }
}

extension Argument {
    /// How many members must have built an index before it is used. There is one.
    fileprivate func checkCommitQuorum() throws(CommandError) {
        if let word = value.string {
            guard word == "majority" || word == "votingMembers" else {
                throw CommandError(.unknownReplWriteConcern, "No write concern mode named '\(word.prefix(100))' found")
            }
            return
        }
        guard value.number != nil else { throw wrongType(expected: "string, long, int, decimal, double") }
        let members = try integer()
        guard members >= 0 else { throw CommandError(.failedToParse, "commitQuorum must not be negative") }
        guard members <= 1 else {
            throw CommandError(.unsatisfiableWriteConcern, "Not enough data-bearing nodes for commitQuorum \(members)")
        }
    }
}
