internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/collMod/

/// What `collMod` was asked to change.
private struct CollModArguments {
    let namespace: Namespace
    private var viewOn: String?
    private var pipeline: Value?
    private var buckets: TimeseriesBuckets?
    private var cappedSize: Int64?
    private var cappedMax: Int64?
    private var expiry: Expiry?
    private var preImages: Bool?
    /// The names of the changes, in their order.
    private var names: [String] = []
    var index: CollModIndex?
    var validation = ValidationChange()
    var isDryRun = false

    private enum Expiry {
        case off
        case seconds(Int64)
    }

    init(_ request: CommandRequest, now: Int64) throws(CommandError) {
        namespace = try request.namespace()
        try request.forEachArgument(of: "collMod") { argument throws(CommandError) in
            if argument.key == "expireAfterSeconds" {
                expiry = try argument.expiry(now: now).map { .seconds($0) } ?? .off
            } else if !argument.isOmitted {
                try take(argument)
            } else {
                return try Self.checkName(argument)
            }
            names.append(argument.key.string)
        }
    }

    private static func checkName(_ argument: Argument) throws(CommandError) {
        switch argument.key {
        case "viewOn", "pipeline", "timeseries", "cappedSize", "cappedMax", "validator", "validationLevel",
            "validationAction", "changeStreamPreAndPostImages", "index", "dryRun", "recordIdsReplicated":
            return
        default: throw argument.unknownField()
        }
    }

    private mutating func take(_ argument: Argument) throws(CommandError) {
        switch argument.key {
        case "viewOn": viewOn = try argument.newViewSource(namespace)
        case "pipeline": pipeline = try argument.viewPipeline()
        case "timeseries": buckets = try TimeseriesArgument.modification(argument)
        case "cappedSize": cappedSize = try argument.cappedSize()
        case "cappedMax": cappedMax = try argument.cappedMax()
        case "index": index = try CollModIndex(argument)
        case "dryRun": isDryRun = try argument.lenientBool()
        case "changeStreamPreAndPostImages": preImages = try argument.preImagesEnabled()
        default: try takeValidation(argument)
        }
    }

    private mutating func takeValidation(_ argument: Argument) throws(CommandError) {
        switch argument.key {
        case "validator":
            _ = try argument.checkValidator(of: namespace)
            validation.take(argument)
        case "validationLevel":
            try argument.checkValidationLevel()
            validation.take(argument)
        case "validationAction":
            try argument.checkValidationAction()
            validation.take(argument)
        default: throw argument.unknownField()
        }
    }
}

// What the changes mean for a collection.
extension CollModArguments {
    /// Refuses what belongs to collections of another kind.
    func check(against collection: Collection) throws(CommandError) {
        let allowed = Self.changes(of: collection.kind)
        if let foreign = names.first(where: { !allowed.contains($0) }) {
            throw CommandError(.invalidOptions, "option '\(foreign)' is not supported on \(namespace)")
        }
        guard !isDryRun || index?.makesUnique == true else {
            throw CommandError(.invalidOptions, "'dryRun' is for the conversion of an index to a unique one")
        }
        _ = try index?.modification(in: collection)
    }

    private static func changes(of kind: CollectionKind) -> Set<String> {
        let table: Set = [
            "index", "dryRun", "validator", "validationLevel", "validationAction", "changeStreamPreAndPostImages",
        ]
        switch kind {
        case .plain: return table
        case .capped: return table.union(["cappedSize", "cappedMax"])
        case .clustered: return table.union(["expireAfterSeconds"])
        // MongoDB takes the limits of a capped collection here, and does nothing about them.
        case .timeseries: return ["index", "dryRun", "timeseries", "expireAfterSeconds", "cappedSize", "cappedMax"]
        case .view: return ["viewOn", "pipeline"]
        }
    }

    /// The options of the collection after the changes.
    func options(of collection: Collection) throws(CommandError) -> Document {
        try check(against: collection)
        var options = collection.options
        if let viewOn { options = options.replacing("viewOn", with: .string(viewOn)) }
        if let pipeline { options = options.replacing("pipeline", with: pipeline) }
        if let buckets { options = try buckets.replacing(in: options) }
        if case .capped(var limits) = collection.kind {
            limits.bytes = cappedSize ?? limits.bytes
            if let cappedMax { limits.documents = max(0, cappedMax) }
            options = limits.replacing(in: options)
        }
        switch expiry {
        case .seconds(let seconds): options = options.replacing("expireAfterSeconds", with: .int64(seconds))
        case .off: options = options.replacing("expireAfterSeconds", with: nil)
        case nil: break
        }
        if let preImages {
            let enabled = Value.document(Document { $0.append("enabled", bool: true) })
            options = options.replacing("changeStreamPreAndPostImages", with: preImages ? enabled : nil)
        }
        return options
    }
}

extension CommandTable {
    @Sendable static func collMod(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let arguments = try CollModArguments(request, now: Int64(context.server.now))
        let isFound = try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.catalog.modify(arguments.namespace) { collection throws(CommandError) in
                try arguments.options(of: collection)
            }
        }
        guard isFound else { throw CommandError(.namespaceNotFound, "ns does not exist: \(arguments.namespace)") }
        if let change = arguments.validation.change {
            try await context.engine.mapped { () async throws(StorageError) in
                try await context.engine.catalog.changeOptions(of: arguments.namespace, change)
            }
        }
        let modification = try await arguments.index?.apply(
            to: arguments.namespace, isDryRun: arguments.isDryRun, context)
        return CommandReply { builder in
            modification?.write(into: &builder)
            request.shared.writeUnsatisfiedConcern(into: &builder)
        }
    }
}

extension Argument {
    /// A number of seconds, or nil for "off".
    fileprivate func expiry(now: Int64) throws(CommandError) -> Int64? {
        if let word = value.string {
            guard word == "off" else {
                throw CommandError(.invalidOptions, "expireAfterSeconds must be a number or 'off', found '\(word)'")
            }
            return nil
        }
        guard value.number != nil else { throw wrongType(expected: "string, long, int, decimal, double") }
        let seconds = try integer()
        guard (0...now).contains(seconds) else {
            throw CommandError(
                .invalidOptions, "'expireAfterSeconds' must be from 0 to the seconds since 1970")
        }
        return seconds
    }

    fileprivate func newViewSource(_ view: Namespace) throws(CommandError) -> String {
        let source = try viewSource()
        let namespace = try Namespace.validated(database: view.database, collection: source)
        guard !source.utf8.contains(UInt8(ascii: "$")) else {
            throw CommandError(.invalidNamespace, "Invalid collection name: \(namespace)")
        }
        return source
    }
}
