internal import BSON
package import CommandModel
internal import Logging
internal import NIOConcurrencyHelpers
package import NIOCore

// https://www.mongodb.com/docs/manual/reference/command/autoCompact/

/// Whether this server compacts collections by itself, and when it is time to. PostgreSQL's autovacuum makes room for
/// new rows in any case; this gives room back to the file system, as `compact` does.
///
/// Pure but for the lock: a service asks ``takeDue(now:)`` each second and reports ``ended()``.
package final class AutoCompaction: Sendable {
    package struct Settings: Sendable, Equatable {
        /// Collections with less to give back are left alone.
        package var targetBytes: Int64 = 20 << 20
        package var runsOnce = false
    }

    /// Between two rounds.
    static let period = TimeAmount.minutes(10)

    private struct State {
        var settings: Settings?
        var next = NIODeadline.now()
    }

    private let state = NIOLockedValueBox(State())

    package init() {}

    /// What is to be done in a round; nil when it is off.
    package var settings: Settings? { state.withLockedValue { $0.settings } }

    /// - Throws: AlreadyInitialized (23) when it is on with other settings.
    package func turnOn(_ settings: Settings, now: NIODeadline = .now()) throws(CommandError) {
        let isRefused = state.withLockedValue { state in
            if let present = state.settings { return present != settings }
            state = State(settings: settings, next: now)
            return false
        }
        guard !isRefused else {
            throw CommandError(
                ErrorCode(23, "AlreadyInitialized"),
                "autoCompact is on with other settings: turn it off first, by autoCompact: false")
        }
    }

    /// A round that is under way stops before the next collection.
    package func turnOff() { state.withLockedValue { $0.settings = nil } }

    /// The settings for a round, when one is to begin.
    package func takeDue(now: NIODeadline = .now()) -> Settings? {
        state.withLockedValue { state in
            guard let settings = state.settings, now >= state.next else { return nil }
            state.next = now + Self.period
            return settings
        }
    }

    /// A round with these settings is over.
    package func ended(_ settings: Settings) {
        state.withLockedValue { state in
            if settings.runsOnce, state.settings == settings { state.settings = nil }
        }
    }
}

extension CommandTable {
    @Sendable static func autoCompact(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let isWanted = try request.withCommandValue(of: "autoCompact") { argument throws(CommandError) in
            try argument.requireValue()
            return try argument.bool()
        }
        var settings = AutoCompaction.Settings()
        try request.forEachArgument(of: "autoCompact") { argument throws(CommandError) in
            switch argument.key {
            case "freeSpaceTargetMB":
                guard let target = try argument.ifPresent(Argument.integer) else { return }
                guard target >= 1, !isWanted || target <= .max >> 20 else {
                    throw CommandError(
                        .badValue,
                        "BSON field 'freeSpaceTargetMB' value \(target) is not within 1 and \(Int64.max >> 20)")
                }
                settings.targetBytes = target <= .max >> 20 ? target << 20 : .max
            case "runOnce": settings.runsOnce = try argument.ifPresent(Argument.bool) ?? false
            default: throw argument.unknownField()
            }
        }
        if isWanted {
            try context.server.autoCompaction.turnOn(settings)
        } else {
            context.server.autoCompaction.turnOff()
        }
        context.logger.notice(
            "autoCompact", metadata: ["isOn": "\(isWanted)", "targetBytes": "\(settings.targetBytes)"])
        return CommandReply()
    }
}
