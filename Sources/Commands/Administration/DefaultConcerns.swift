internal import BSON
internal import CommandModel
internal import Logging

// https://www.mongodb.com/docs/manual/reference/command/setDefaultRWConcern/

/// The default concerns that an operator has set. Every read sees committed data only, and every write is committed and
/// flushed before it is answered, so that none of those that are allowed makes a difference; they are kept for who
/// asks.
struct DefaultConcerns {
    /// Nil where MongoDB's own is in force.
    private(set) var read: Document?
    private(set) var write: Document?
    private var updateTime: UInt64?
    private var updateMilliseconds: Int64?

    init(_ setting: Document?) {
        setting?.withRaw { raw in
            read = raw["read"]?.document.map { Document(copying: $0) }
            write = raw["write"]?.document.map { Document(copying: $0) }
            updateTime = raw["time"]?.timestamp
            updateMilliseconds = raw["date"]?.date
        }
    }

    var setting: Document {
        Document { builder in
            if let read { builder.append("read", document: read) }
            if let write { builder.append("write", document: write) }
            if let updateTime { builder.append("time", timestamp: updateTime) }
            if let updateMilliseconds { builder.append("date", date: updateMilliseconds) }
        }
    }

    func changed(_ change: Change, time: UInt64, milliseconds: Int64) throws(CommandError) -> DefaultConcerns {
        var new = self
        if let read = change.read { new.read = read.isEmpty ? nil : read }
        if let write = change.write {
            guard !write.isEmpty || self.write == nil else {
                throw CommandError(
                    .illegalOperation, "The global default write concern cannot be unset once it is set.")
            }
            new.write = write.isEmpty ? nil : write
        }
        new.updateTime = time
        new.updateMilliseconds = milliseconds
        return new
    }

    func write(into builder: inout DocumentBuilder, localMilliseconds: Int64) {
        builder.append("defaultReadConcern", document: read ?? Document { $0.append("level", string: "local") })
        builder.append(
            "defaultWriteConcern",
            document: write
                ?? Document {
                    $0.append("w", string: "majority")
                    $0.append("wtimeout", int32: 0)
                })
        builder.append("defaultWriteConcernSource", string: write == nil ? "implicit" : "global")
        builder.append("defaultReadConcernSource", string: read == nil ? "implicit" : "global")
        if let updateTime { builder.append("updateOpTime", timestamp: updateTime) }
        if let updateMilliseconds { builder.append("updateWallClockTime", date: updateMilliseconds) }
        builder.append("localUpdateWallClockTime", date: localMilliseconds)
    }
}

extension DefaultConcerns {
    /// The arguments of the command; an empty document means MongoDB's own default.
    struct Change {
        private(set) var read: Document?
        private(set) var write: Document?
    }
}

extension DefaultConcerns.Change {
    init(_ request: CommandRequest) throws(CommandError) {
        var (read, write): (Document?, Document?) = (nil, nil)
        try request.forEachArgument(of: "setDefaultRWConcern") { argument throws(CommandError) in
            switch argument.key {
            case "defaultReadConcern": read = try argument.ifPresent(Argument.defaultReadConcern)
            case "defaultWriteConcern": write = try argument.ifPresent(Argument.defaultWriteConcern)
            default: throw argument.unknownField()
            }
        }
        guard read != nil || write != nil else {
            throw CommandError(
                .badValue,
                "At least one of the \"defaultReadConcern\" or \"defaultWriteConcern\" fields must be present")
        }
        (self.read, self.write) = (read, write)
    }
}

extension Argument {
    fileprivate func defaultReadConcern() throws(CommandError) -> Document {
        let concern = try ReadConcern(value)
        guard concern.afterClusterTime == nil, concern.atClusterTime == nil else {
            throw CommandError(.badValue, "a default read concern has a level and nothing else")
        }
        guard let level = concern.level else { return .empty }
        guard [.local, .available, .majority].contains(level) else {
            throw CommandError(.badValue, "level: '\(level.rawValue)' is not suitable for the default read concern")
        }
        return Document { $0.append("level", string: level.rawValue) }
    }

    fileprivate func defaultWriteConcern() throws(CommandError) -> Document {
        let concern = try WriteConcern(value)
        guard let fields = value.document, !fields.isEmpty else { return .empty }
        guard let w = fields["w"] else {
            throw CommandError(.badValue, "missing \"w\" field in the default write concern")
        }
        guard !w.isNullish else {
            throw CommandError(.unknownReplWriteConcern, "No write concern mode named 'null' found")
        }
        guard concern.w != .members(0) else {
            throw CommandError(.badValue, "w: 0 is not suitable for the default write concern")
        }
        if let unsatisfied = concern.unsatisfied { throw unsatisfied }
        return Document { builder in
            if case .members(let count) = concern.w { builder.append("w", int32: Int32(clamping: count)) }
            if concern.w == .majority { builder.append("w", string: "majority") }
            if concern.isJournaled { builder.append("j", bool: true) }
            builder.append("wtimeout", .smallest(fields["wtimeout"]?.number?.saturatingInt64 ?? 0))
        }
    }
}

extension CommandTable {
    @Sendable static func setDefaultRWConcern(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let change = try DefaultConcerns.Change(request)
        let (time, now) = (context.server.clock.tick(), ClusterClock.wallMilliseconds())
        let setting = try await context.server.settings.change(.defaultConcerns, on: context.engine) {
            old throws(CommandError) in
            try DefaultConcerns(old).changed(change, time: time, milliseconds: now).setting
        }
        context.logger.notice("default concerns changed", metadata: ["to": "\(setting.withRaw { ShellText.of($0) })"])
        return CommandReply { builder in
            DefaultConcerns(setting).write(into: &builder, localMilliseconds: now)
            request.shared.writeUnsatisfiedConcern(into: &builder)
        }
    }
}
