package import BSON
package import CommandModel
package import Logging
internal import NIOConcurrencyHelpers
package import NIOCore
package import Storage
internal import Synchronization

/// Notes slow commands in the log, and commands in `system.profile` as `profile` says. Like MongoDB's, the settings are
/// those of this server and end with it.
///
/// A command waits for none of this: notes go to a queue, which a background service writes to the collections. When it
/// is full, notes are lost, and counted.
package final class Profiler: Sendable {
    package static let pendingMax = 10_000
    package static let pendingBytesMax = 8 << 20
    /// As in MongoDB.
    static let collectionBytes: Int64 = 1 << 20
    static let collectionName = "system.profile"

    private struct Settings {
        var common = ProfileRule()
        var databases: [String: ProfileRule] = [:]

        subscript(database: String) -> ProfileRule {
            var rule = common
            if let own = databases[database] { (rule.level, rule.filter) = (own.level, own.filter) }
            return rule
        }
    }

    private struct Pending {
        var entries: [Namespace: [Document]] = [:]
        var count = 0
        var bytes = 0
        var lost: Int64 = 0
        var isBeingWritten = false
    }

    private let settings = NIOLockedValueBox(Settings())
    private let pending = NIOLockedValueBox(Pending())
    private let slowNanosecondsValue = Atomic<Int64>(100_000_000)
    private let objectIDs = ObjectIDGenerator()
    private let hasRules = Atomic<Bool>(false)
    private let hasPending = Atomic<Bool>(false)

    package init() {}

    /// What takes longer is slow.
    package var slowNanoseconds: Int64 { slowNanosecondsValue.load(ordering: .relaxed) }

    func rule(of database: String) -> ProfileRule { settings.withLockedValue { $0[database] } }

    /// - Returns: what held before.
    func change(_ database: String, _ change: (inout ProfileRule) -> Void) -> ProfileRule {
        let (old, new, isActive) = settings.withLockedValue { settings in
            let old = settings[database]
            var new = old
            change(&new)
            (settings.common.slowMilliseconds, settings.common.sampleRate) = (new.slowMilliseconds, new.sampleRate)
            settings.databases[database] = new.level == 0 && new.filter == nil ? nil : new
            return (old, new, !settings.databases.isEmpty)
        }
        slowNanosecondsValue.store(Int64(new.slowMilliseconds) * 1_000_000, ordering: .relaxed)
        hasRules.store(isActive, ordering: .relaxed)
        return old
    }
}

// What has ended.
extension Profiler {
    /// A command has ended. Two comparisons for one that is fast where nothing is profiled.
    package func ended(_ command: EndedCommand, logger: Logger) {
        guard hasRules.load(ordering: .relaxed) || command.nanoseconds > slowNanoseconds else { return }
        guard command.isOfInterest else { return }
        let rule = rule(of: command.request.database)
        let isSlow = command.isSlow(by: rule, chance: Double.random(in: 0..<1))
        guard isSlow || rule.filter != nil || rule.level == 2 else { return }
        let seconds = UInt32(truncatingIfNeeded: ClusterClock.wallMilliseconds() / 1_000)
        let entry = command.entry(id: objectIDs.next(seconds: seconds))
        let isWanted = rule.filter?.matches(entry) ?? isSlow
        if isWanted { command.log(to: logger) }
        if rule.level == 2 || (rule.level == 1 && isWanted) {
            note(entry, in: Namespace(database: command.request.database, collection: Self.collectionName))
        }
    }

    private func note(_ entry: Document, in namespace: Namespace) {
        pending.withLockedValue { pending in
            guard pending.count < Self.pendingMax, pending.bytes + entry.count <= Self.pendingBytesMax else {
                pending.lost += 1
                return
            }
            pending.entries[namespace, default: []].append(entry)
            pending.count += 1
            pending.bytes += entry.count
        }
        hasPending.store(true, ordering: .releasing)
    }
}

// Writing.
extension Profiler {
    /// Who reads `system.profile` finds what has ended before.
    package func flush(before request: CommandRequest, on context: CommandContext) async {
        guard hasPending.load(ordering: .acquiring), request.collectionName == Self.collectionName else { return }
        await flush(on: context.engine, logger: context.logger)
    }

    /// Writes what was noted, one writer at a time.
    package func flush(on engine: StorageEngine, logger: Logger) async {
        for _ in 0..<Self.turnsMax {
            guard let (entries, lost) = takeTurn() else {
                try? await Task.sleep(for: Self.turn)
                continue
            }
            for (namespace, documents) in entries {
                do throws(CommandError) { try await Self.write(documents, to: namespace, on: engine) } catch {
                    logger.warning(
                        "commands could not be noted in \(namespace)", metadata: ["reason": "\(error.message)"])
                }
            }
            if lost > 0 { logger.warning("the profiler was too slow: notes are lost", metadata: ["lost": "\(lost)"]) }
            return pending.withLockedValue { $0.isBeingWritten = false }
        }
    }

    private static let turn = Duration.milliseconds(2)
    private static let turnsMax = 500

    /// Nil while somebody else writes.
    private func takeTurn() -> (entries: [Namespace: [Document]], lost: Int64)? {
        pending.withLockedValue { pending in
            guard !pending.isBeingWritten else { return nil }
            let taken = (pending.entries, pending.lost)
            pending = Pending()
            pending.isBeingWritten = true
            hasPending.store(false, ordering: .relaxed)
            return taken
        }
    }

    private static func write(
        _ documents: [Document], to namespace: Namespace, on engine: StorageEngine
    ) async throws(CommandError) {
        try await createCollection(in: namespace.database, on: engine)
        _ = try await engine.withCollection(namespace, for: .maintaining) { collection async throws(StorageError) in
            _ = try await engine.insert(documents, into: collection, isOrdered: false)
        }
    }

    /// The collection of the notes, unless there is one: an operator may have made a larger one.
    static func createCollection(in database: String, on engine: StorageEngine) async throws(CommandError) {
        let namespace = Namespace(database: database, collection: collectionName)
        let options = Document { builder in
            builder.append("capped", bool: true)
            builder.append("size", int64: collectionBytes)
        }
        _ = try await engine.mapped { () async throws(StorageError) in
            try await engine.catalog.collectionOrCreate(namespace, options: options)
        }
    }

    /// - Throws: IllegalOperation (20).
    func checkDrop(of namespace: Namespace) throws(CommandError) {
        guard namespace.collection == Self.collectionName, rule(of: namespace.database).level > 0 else { return }
        throw CommandError(.illegalOperation, "turn off profiling before dropping system.profile collection")
    }
}
