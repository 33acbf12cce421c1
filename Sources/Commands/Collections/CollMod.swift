internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/collMod/

/// What `collMod` was asked to change. All collections are plain ones so far, so most of it is refused for what the
/// collection is.
private struct CollModArguments {
    let namespace: Namespace
    /// The first change that belongs to another kind of collection.
    var foreign: StaticString?
    /// The first change of a plain collection that is not there yet.
    var unsupported: StaticString?
    var index: CollModIndex?
    var validation = ValidationChange()
    var isDryRun = false

    init(_ request: CommandRequest, now: Int64) throws(CommandError) {
        namespace = try request.namespace()
        try request.forEachArgument(of: "collMod") { argument throws(CommandError) in
            if argument.key == "expireAfterSeconds" {
                try argument.checkExpiry(now: now)
                foreign = foreign ?? "expireAfterSeconds"
            } else if !argument.isOmitted {
                try take(argument)
            } else {
                try Self.checkName(argument)
            }
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
        case "viewOn":
            try argument.checkNewViewSource(namespace)
            foreign = foreign ?? "viewOn"
        case "pipeline":
            try argument.checkViewPipeline()
            foreign = foreign ?? "pipeline"
        case "timeseries":
            try TimeseriesArgument.checkModification(argument)
            foreign = foreign ?? "timeseries"
        case "cappedSize":
            _ = try argument.cappedSize()
            foreign = foreign ?? "cappedSize"
        case "cappedMax":
            _ = try argument.cappedMax()
            foreign = foreign ?? "cappedMax"
        case "index": index = try CollModIndex(argument)
        case "dryRun": isDryRun = try argument.lenientBool()
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
        case "changeStreamPreAndPostImages":
            if try argument.preImagesEnabled() { unsupported = unsupported ?? "changeStreamPreAndPostImages" }
        default: throw argument.unknownField()
        }
    }
}

extension CommandTable {
    @Sendable static func collMod(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let arguments = try CollModArguments(request, now: Int64(context.server.now))
        try await requireCollection(arguments.namespace, context)
        if let foreign = arguments.foreign {
            throw CommandError(
                .invalidOptions, "option '\(foreign)' is not supported on \(arguments.namespace), a plain collection")
        }
        guard !arguments.isDryRun || arguments.index?.makesUnique == true else {
            throw CommandError(.invalidOptions, "'dryRun' is for the conversion of an index to a unique one")
        }
        try arguments.index?.check(against: arguments.namespace)
        if let unsupported = arguments.unsupported {
            throw CommandError(.notImplemented, "collMod: changing '\(unsupported)' is not supported yet")
        }
        if let change = arguments.validation.change {
            try await context.engine.mapped { () async throws(StorageError) in
                try await context.engine.catalog.changeOptions(of: arguments.namespace, change)
            }
        }
        return CommandReply { request.shared.writeUnsatisfiedConcern(into: &$0) }
    }
}

extension Argument {
    /// A number of seconds, or "off".
    fileprivate func checkExpiry(now: Int64) throws(CommandError) {
        if let word = value.string {
            guard word == "off" else {
                throw CommandError(.invalidOptions, "expireAfterSeconds must be a number or 'off', found '\(word)'")
            }
            return
        }
        guard value.number != nil else { throw wrongType(expected: "string, long, int, decimal, double") }
        guard try (0...now).contains(integer()) else {
            throw CommandError(
                .invalidOptions, "'expireAfterSeconds' must be from 0 to the seconds since 1970")
        }
    }

    fileprivate func checkNewViewSource(_ view: Namespace) throws(CommandError) {
        let source = try viewSource()
        let namespace = try Namespace.validated(database: view.database, collection: source)
        try namespace.validateForCreation()
    }
}
