internal import Access
internal import BSON
internal import CommandModel

/// What the commands about collections need, where that depends on their arguments.
enum CollectionAccess {
    /// Who may insert into a collection makes it by that, so that `create` takes no more. A view shows what it stands
    /// on: who makes one and may read it must be able to read that. Others may make what they cannot read, as
    /// mongorestore does.
    @Sendable static func create(_ request: CommandRequest, _ view: AccessView) throws(CommandError) -> Bool {
        let namespace = try request.namespace()
        let mayCreate = view.allows(.createCollection, on: .collection(namespace))
        guard mayCreate || view.allows(.insert, on: .collection(namespace)) else { return false }
        if mayCreate, !view.allows(.find, on: .collection(namespace)) { return true }
        return sourcesOfView(request).allSatisfy { view.allows($0.action, on: $0.target) }
    }

    @Sendable static func modify(_ request: CommandRequest) throws(CommandError) -> [Requirement] {
        [Requirement(.collMod, try request.namespace())] + sourcesOfView(request)
    }

    private static func sourcesOfView(_ request: CommandRequest) -> [Requirement] {
        let names = request.body.withRaw { raw in
            raw.filter { $0.key == "viewOn" }.compactMap { $0.value.string }
        }
        return names.map { Requirement(.find, Namespace(database: request.database, collection: $0)) }
            + PipelineAccess.reading(request.body.stages("pipeline"), in: request.database)
    }

    @Sendable static func clone(_ request: CommandRequest) throws(CommandError) -> [Requirement] {
        let source = try request.namespace()
        let targets = request.body.withRaw { raw in
            raw.filter { $0.key == "toCollection" }.compactMap { $0.value.string }
        }
        return [Requirement(.find, source)]
            + targets.map { Namespace(database: request.database, collection: $0) }
            .flatMap { [Requirement(.insert, $0), Requirement(.convertToCapped, $0)] }
    }

    /// The value of the command is a whole namespace.
    @Sendable static func dataSize(_ request: CommandRequest) throws(CommandError) -> [Requirement] {
        [Requirement(.find, try wholeNamespace(request, of: "dataSize"))]
    }

    /// Who has no right to list collections may still hear the names of those that concern it; the handler looks.
    @Sendable static func list(_ request: CommandRequest, _ view: AccessView) throws(CommandError) -> Bool {
        if view.allows(.listCollections, in: request.database) { return true }
        let (isOwn, isNameOnly) = request.body.withRaw { raw in
            (raw["authorizedCollections"]?.bool == true, raw["nameOnly"]?.bool == true)
        }
        return isOwn && isNameOnly && view.sees(database: request.database)
    }

    /// Within a database the right to rename is enough, unless the new name lets somebody read what was hidden.
    @Sendable static func rename(_ request: CommandRequest, _ view: AccessView) throws(CommandError) -> Bool {
        let source = try wholeNamespace(request, of: "renameCollection")
        let (targets, drops) = request.body.withRaw { raw in
            (
                raw.filter { $0.key == "to" }.compactMap { $0.value.string },
                raw.contains { $0.key == "dropTarget" && $0.value.isOn }
            )
        }
        for text in targets {
            let target = Namespace.Renaming(source, to: try Namespace(splitting: text))
            guard target.isAllowed(view) else { return false }
            if drops, !view.allows(.dropCollection, on: .collection(target.target)) { return false }
        }
        return true
    }

    /// Of the collection that the arguments name, or of all there are.
    @Sendable static func validateMetadata(_ request: CommandRequest) throws(CommandError) -> [Requirement] {
        let (databases, collections) = request.body.withRaw { raw in
            (
                raw.filter { $0.key == "db" }.compactMap { $0.value.string },
                raw.filter { $0.key == "collection" }.compactMap { $0.value.string }
            )
        }
        let database = databases.count == 1 ? databases[0] : ""
        guard collections.count == 1, !database.isEmpty else {
            return [Requirement(.validate, on: .database(database))]
        }
        return [Requirement(.validate, Namespace(database: database, collection: collections[0]))]
    }

    private static func wholeNamespace(
        _ request: CommandRequest, of command: StaticString
    ) throws(CommandError) -> Namespace {
        let text = try request.withCommandValue(of: command) { argument throws(CommandError) in
            try argument.string()
        }
        return try Namespace(splitting: text)
    }
}

extension Namespace {
    /// A collection and the name that it is to get.
    fileprivate struct Renaming {
        let source: Namespace
        let target: Namespace

        init(_ source: Namespace, to target: Namespace) {
            self.source = source
            self.target = target
        }

        func isAllowed(_ view: AccessView) -> Bool {
            func allows(_ action: Action, _ namespace: Namespace) -> Bool {
                view.allows(action, on: .collection(namespace))
            }
            if source.database.hasSameBytes(as: target.database), allows(.renameCollectionSameDB, source),
                allows(.renameCollectionSameDB, target)
            {
                return allows(.find, source) || !allows(.find, target)
            }
            return allows(.find, source) && allows(.dropCollection, source) && allows(.insert, target)
                && allows(.createIndex, target)
        }
    }
}
