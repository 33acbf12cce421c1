internal import BSON
internal import CommandModel
internal import Logging

// https://www.mongodb.com/docs/manual/reference/command/profile/

private struct ProfileArguments {
    enum Filtering { case keep, unset, set(ProfileFilter) }

    private(set) var level: Int64 = -1
    private(set) var slowMilliseconds: Int32?
    private(set) var sampleRate: Double?
    private(set) var filtering = Filtering.keep

    init(_ request: CommandRequest) throws(CommandError) {
        var taken = self
        taken.level = try request.withCommandValue(of: "profile") { argument throws(CommandError) in
            try argument.requireValue()
            return try argument.integer()
        }
        try request.forEachArgument(of: "profile") { argument throws(CommandError) in
            switch argument.key {
            case "slowms":
                taken.slowMilliseconds = try argument.ifPresent(Argument.integer).map { Int32(clamping: $0) }
            case "sampleRate": taken.sampleRate = try argument.ifPresent(Argument.sampleRate)
            case "filter": taken.filtering = try argument.filtering()
            default: throw argument.unknownField()
            }
        }
        self = taken
    }

    func apply(to rule: inout ProfileRule) {
        // Other levels only ask.
        if let level = Int32(exactly: level), (0...2).contains(level) { rule.level = level }
        if let slowMilliseconds { rule.slowMilliseconds = slowMilliseconds }
        if let sampleRate { rule.sampleRate = sampleRate }
        switch filtering {
        case .keep: break
        case .unset: rule.filter = nil
        case .set(let filter): rule.filter = filter
        }
    }
}

extension Argument {
    fileprivate func sampleRate() throws(CommandError) -> Double {
        guard let number = value.number else { throw wrongType(expected: "double, int, long, decimal") }
        let rate = number.asDouble
        guard (0...1).contains(rate) else {
            throw CommandError(.badValue, "'sampleRate' must be between 0.0 and 1.0 inclusive")
        }
        return rate
    }

    fileprivate func filtering() throws(CommandError) -> ProfileArguments.Filtering {
        if value.string == "unset" { return .unset }
        guard let filter = value.document else {
            throw CommandError(.badValue, "Expected an object, or the string 'unset', for the filter of profile")
        }
        return .set(try ProfileFilter(Document(copying: filter)))
    }
}

extension CommandTable {
    /// Sets which commands on the database go to its `system.profile`, and which ones to the log; tells what held
    /// before.
    @Sendable static func profile(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try Namespace.validate(database: request.database)
        let arguments = try ProfileArguments(request)
        if (1...2).contains(arguments.level) {
            try await Profiler.createCollection(in: request.database, on: context.engine)
        }
        let profiler = context.server.profiler
        let old = profiler.change(request.database, arguments.apply)
        if arguments.level >= 0 {
            context.logger.notice(
                "profiling changed", metadata: ["db": "\(request.database)", "level": "\(arguments.level)"])
        }
        return CommandReply { builder in
            builder.append("was", int32: old.level)
            builder.append("slowms", int32: old.slowMilliseconds)
            builder.append("sampleRate", double: old.sampleRate)
            guard let filter = old.filter else { return }
            builder.append("filter", document: filter.shown)
            builder.append(
                "note",
                string:
                    "When a filter expression is set, slowms and sampleRate are not used for profiling and "
                    + "slow-query log lines.")
        }
    }
}
