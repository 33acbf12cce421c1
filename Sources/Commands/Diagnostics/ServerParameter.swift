internal import Access
internal import BSON
internal import CommandModel
internal import NIOCore
internal import Storage
internal import Synchronization

/// A setting that `getParameter` shows and that `setParameter` may change.
///
/// Only what has an effect here is listed, under the name and with the type that MongoDB gives it. An operator who sets
/// something that does nothing should hear of it.
struct ServerParameter: Sendable {
    typealias Change = @Sendable (ServerState) -> Void

    let name: StaticString
    let read: @Sendable (ServerState) -> Value
    /// Checks a new value before anything is changed; nil for a fact that cannot be set.
    let parse: (@Sendable (Argument) throws(CommandError) -> Change)?

    var isSettableAtRuntime: Bool { parse != nil }

    private static func fact(_ name: StaticString, _ read: @escaping @Sendable (ServerState) -> Value) -> Self {
        Self(name: name, read: read, parse: nil)
    }

    static func named(_ key: RawKey) -> ServerParameter? {
        all.first { key == $0.name }
    }
}

extension ServerParameter {
    /// In the order of their names.
    static let all: [ServerParameter] = [
        fact("authSchemaVersion") { _ in .int32(5) },
        fact("authenticationMechanisms") { _ in
            .array(
                Document { builder in
                    for (index, mechanism) in ScramMechanism.allCases.enumerated() {
                        builder.append(index: index, string: mechanism.rawValue)
                    }
                })
        },
        cursorTimeoutMillis,
        fact("enableTestCommands") { .bool($0.failPoints != nil) },
        fact("featureCompatibilityVersion") { _ in
            .document(Document { $0.append("version", string: CompatibleVersion.feature) })
        },
        internalQueryMaxBlockingSortMemoryUsageBytes,
        fact("localLogicalSessionTimeoutMinutes") { _ in .int32(ServerLimits.sessionTimeoutMinutes) },
        logComponentVerbosity,
        logLevel,
        quiet,
        fact("requireApiVersion") { _ in .bool(false) },
        scramIterationCount,
        scramSHA256IterationCount,
        transactionLifetimeLimitSeconds,
        ttlMonitorEnabled,
        ttlMonitorSleepSecs,
    ]

    private static let cursorTimeoutMillis = ServerParameter(name: "cursorTimeoutMillis") { server in
        .int64(server.cursorTimeout.milliseconds)
    } parse: { argument throws(CommandError) in
        let milliseconds = try argument.parameterInteger(in: 1...Int64(Int32.max))
        return { $0.cursorTimeout.milliseconds = milliseconds }
    }

    private static let internalQueryMaxBlockingSortMemoryUsageBytes = ServerParameter(
        name: "internalQueryMaxBlockingSortMemoryUsageBytes"
    ) { server in
        .int64(Int64(server.engine.sortBytesMax.load(ordering: .relaxed)))
    } parse: { argument throws(CommandError) in
        let bytes = try argument.parameterInteger(in: 0...(1 << 40))
        return { $0.engine.sortBytesMax.store(Int(bytes), ordering: .relaxed) }
    }

    /// One for all: the log knows no components. The shell sets it by this name.
    private static let logComponentVerbosity = ServerParameter(name: "logComponentVerbosity") { server in
        .document(Document { $0.append("verbosity", int32: server.log.verbosity) })
    } parse: { argument throws(CommandError) in
        guard let components = argument.value.document else { throw argument.wrongType(expected: "object") }
        var verbosity: Int32?
        for field in components {
            guard field.key == "verbosity" else {
                throw CommandError(
                    .badValue,
                    "the log has no component '\(field.key.string.prefix(100))': set the verbosity of all"
                )
            }
            let part = Argument(command: "logComponentVerbosity", key: field.key, value: field.value)
            verbosity = Int32(clamping: try part.parameterInteger(in: 0...5))
        }
        return { [verbosity] server in
            if let verbosity { server.log.verbosity = verbosity }
        }
    }

    private static let logLevel = ServerParameter(name: "logLevel") { server in
        .int32(server.log.verbosity)
    } parse: { argument throws(CommandError) in
        let verbosity = Int32(clamping: try argument.parameterInteger(in: 0...5))
        return { $0.log.verbosity = verbosity }
    }

    /// Of passwords that are set from now on.
    private static let scramIterationCount = ServerParameter(name: "scramIterationCount") {
        .int32(Int32(clamping: $0.access.iterationsSHA1.load(ordering: .relaxed)))
    } parse: { argument throws(CommandError) in
        let count = try argument.iterationCount()
        return { $0.access.iterationsSHA1.store(count, ordering: .relaxed) }
    }

    private static let scramSHA256IterationCount = ServerParameter(name: "scramSHA256IterationCount") {
        .int32(Int32(clamping: $0.access.iterationsSHA256.load(ordering: .relaxed)))
    } parse: { argument throws(CommandError) in
        let count = try argument.iterationCount()
        return { $0.access.iterationsSHA256.store(count, ordering: .relaxed) }
    }

    private static let transactionLifetimeLimitSeconds = ServerParameter(name: "transactionLifetimeLimitSeconds") {
        .int32(Int32(clamping: $0.engine.transactions.lifetime.nanoseconds / 1_000_000_000))
    } parse: { argument throws(CommandError) in
        let seconds = try argument.parameterInteger(in: 1...TransactionRegistry.lifetimeSecondsMax)
        return { $0.engine.transactions.lifetime = .seconds(seconds) }
    }

    private static let ttlMonitorEnabled = ServerParameter(name: "ttlMonitorEnabled") {
        .bool($0.expiry.isEnabled.load(ordering: .relaxed))
    } parse: { argument throws(CommandError) in
        let isEnabled = argument.value.isOn
        return { $0.expiry.isEnabled.store(isEnabled, ordering: .relaxed) }
    }

    private static let ttlMonitorSleepSecs = ServerParameter(name: "ttlMonitorSleepSecs") {
        .int32(Int32(clamping: $0.expiry.sleepSeconds.load(ordering: .relaxed)))
    } parse: { argument throws(CommandError) in
        let seconds = try argument.parameterInteger(in: 1...Int64(Int32.max))
        return { $0.expiry.sleepSeconds.store(seconds, ordering: .relaxed) }
    }

    private static let quiet = ServerParameter(name: "quiet") { server in
        .bool(server.log.isQuiet)
    } parse: { argument throws(CommandError) in
        let isQuiet = argument.value.isOn
        return { $0.log.isQuiet = isQuiet }
    }
}

extension Argument {
    fileprivate func iterationCount() throws(CommandError) -> Int {
        let range = ScramMechanism.iterationsRange
        return Int(try parameterInteger(in: Int64(range.lowerBound)...Int64(range.upperBound)))
    }

    /// A number without its fraction, or a boolean as 0 or 1.
    fileprivate func parameterInteger(in range: ClosedRange<Int64>) throws(CommandError) -> Int64 {
        let number = value.bool.map { $0 ? Number.int32(1) : .int32(0) } ?? value.number
        guard let number, !number.isNaN else {
            throw CommandError(
                .badValue, "parameter \(key.string) takes a number, not a value of type \(value.type.alias)")
        }
        let integer = number.saturatingInt64
        guard range.contains(integer) else {
            throw CommandError(
                .badValue,
                "value \(integer) of parameter \(key.string) is outside \(range.lowerBound) to \(range.upperBound)")
        }
        return integer
    }
}
