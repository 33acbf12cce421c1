internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/dropIndexes/

/// Which indexes are to go.
private enum DroppedIndexes: Sendable {
    case all
    case named([String])
    case key(Document)

    init(_ argument: Argument) throws(CommandError) {
        if let document = argument.value.document {
            self = .key(Document(copying: document))
        } else if let array = argument.value.array {
            var names: [String] = []
            for element in array {
                guard let name = element.value.string else {
                    throw CommandError.wrongType("dropIndexes.index", element.value, expected: "string")
                }
                names.append(name)
            }
            self = names == ["*"] ? .all : .named(names)
        } else {
            guard let name = argument.value.string else {
                throw argument.wrongType(expected: "array, object, string")
            }
            self = name == "*" ? .all : .named([name])
        }
    }

    func chosen(in collection: Collection) throws(CommandError) -> [SecondaryIndex] {
        guard collection.view == nil else { throw .notSupportedOnView(collection.namespace) }
        switch self {
        case .all: return collection.secondaryIndexes
        case .key(let pattern):
            if let own = collection.ownIndex, own.hasKey(pattern) { throw Self.refusal(of: own, in: collection) }
            return [try Self.only(pattern, in: collection)]
        case .named(let names):
            var rest = collection.secondaryIndexes
            var chosen: [SecondaryIndex] = []
            for name in names {
                if let own = collection.ownIndex, own.indexName.utf8.elementsEqual(name.utf8) {
                    throw Self.refusal(of: own, in: collection)
                }
                // A name that comes twice is not found the second time.
                guard let place = rest.firstIndex(where: { $0.definition.name.utf8.elementsEqual(name.utf8) }) else {
                    throw CommandError(.indexNotFound, "index not found with name [\(name.prefix(200))]")
                }
                chosen.append(rest.remove(at: place))
            }
            return chosen
        }
    }

    private static func only(_ pattern: Document, in collection: Collection) throws(CommandError) -> SecondaryIndex {
        let found = collection.secondaryIndexes.filter { $0.definition.keyPattern.isSameKey(as: pattern) }
        guard let first = found.first else {
            throw CommandError(
                .indexNotFound, "can't find index with key: \(pattern.withRaw { ShellText.of($0) })")
        }
        guard found.count == 1 else {
            throw CommandError(
                .ambiguousIndexKeyPattern,
                "\(found.count) indexes found for key: \(pattern.withRaw { ShellText.of($0) }), identify by name "
                    + "instead. Conflicting indexes: \(found.map(\.definition.name).joined(separator: ", "))")
        }
        return first
    }

    private static func refusal(of own: Document, in collection: Collection) -> CommandError {
        switch collection.kind {
        case .clustered:
            CommandError(ErrorCode(5_979_800), "cannot drop the clustered index of \(collection.namespace)")
        case .timeseries:
            CommandError(.invalidOptions, "the index \(own.indexName) comes with the time series and stays")
        default: CommandError(.invalidOptions, "cannot drop _id index")
        }
    }
}

extension CommandTable {
    @Sendable static func dropIndexes(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try request.namespace()
        var which: DroppedIndexes?
        try request.forEachArgument(of: "dropIndexes") { argument throws(CommandError) in
            guard argument.key == "index" else { throw argument.unknownField() }
            which = try DroppedIndexes(argument)
        }
        guard let which else { throw .missingField("dropIndexes.index") }
        guard let count = try await drop(which, of: namespace, context) else {
            throw CommandError(.namespaceNotFound, "ns not found \(namespace)")
        }
        return CommandReply { builder in
            builder.append("nIndexesWas", int32: count)
            if case .all = which {
                builder.append("msg", string: "non-_id indexes dropped for collection")
            }
            request.shared.writeUnsatisfiedConcern(into: &builder)
        }
    }

    /// - Returns: how many there were; nil when there is no such collection.
    private static func drop(
        _ which: DroppedIndexes, of namespace: Namespace, _ context: CommandContext
    ) async throws(CommandError) -> Int32? {
        let changed = try await context.documents.changeIndexes(of: namespace) { collection throws(CommandError) in
            try which.chosen(in: collection).map { .drop($0.number) }
        }
        if let (collection, _) = changed { return collection.indexCount }
        guard let series = try await context.bucketsOwner(namespace) else { return nil }
        guard case .all = which else {
            throw CommandError(.illegalOperation, "the indexes of a time series are dropped by its own name")
        }
        return series.ownIndex == nil ? 0 : 1
    }

    /// Builds all secondary indexes anew.
    ///
    /// https://www.mongodb.com/docs/manual/reference/command/reIndex/
    @Sendable static func reIndex(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try request.namespace()
        try request.forEachArgument(of: "reIndex") { argument throws(CommandError) in throw argument.unknownField() }
        let changed = try await context.documents.changeIndexes(of: namespace) { collection throws(CommandError) in
            guard collection.view == nil else { throw .notSupportedOnView(namespace) }
            return collection.secondaryIndexes.flatMap { index -> [IndexChange] in
                [.drop(index.number), .create(index.definition)]
            }
        }
        guard let (collection, _) = changed else {
            throw CommandError(.namespaceNotFound, "collection does not exist: \(namespace)")
        }
        let indexes = collection.listedIndexes
        return CommandReply { builder in
            builder.append("nIndexesWas", int32: Int32(clamping: indexes.count))
            builder.append("nIndexes", int32: Int32(clamping: indexes.count))
            builder.beginArray("indexes")
            for (place, index) in indexes.enumerated() { builder.append(index: place, .document(index)) }
            builder.end()
        }
    }
}
