package import CommandModel
package import Metrics
internal import NIOConcurrencyHelpers

/// Time and number of commands by collection, for `top`. Bounded: the names come from clients.
package final class NamespaceCounters: Sendable {
    /// Collections beyond this are not counted.
    package static let namespacesMax = 10_000

    package struct Counter: Sendable, Equatable {
        package var nanoseconds: Int64 = 0
        package var count: Int64 = 0

        mutating func add(_ nanoseconds: Int64) {
            self.nanoseconds &+= nanoseconds
            count &+= 1
        }
    }

    package enum Event: Int, Sendable, CaseIterable {
        case queries, getmore, insert, update, remove, commands

        init(command: String) {
            switch command {
            case "find": self = .queries
            case "getMore": self = .getmore
            case "insert": self = .insert
            case "update": self = .update
            case "delete": self = .remove
            default: self = .commands
            }
        }
    }

    package struct Counters: Sendable {
        private var events = [Counter](repeating: Counter(), count: Event.allCases.count)
        private var latencies = [LatencyCounts](
            repeating: LatencyCounts(.coarse), count: CommandKind.Class.allCases.count)
        package private(set) var total = Counter()
        /// Those that read, and those that write: MongoDB tells them by the lock that it takes.
        package private(set) var reads = Counter()
        package private(set) var writes = Counter()

        package subscript(event: Event) -> Counter { events[event.rawValue] }

        package subscript(class: CommandKind.Class) -> LatencyCounts { latencies[`class`.rawValue] }

        mutating func add(_ event: Event, _ class: CommandKind.Class, writes isWrite: Bool, _ nanoseconds: Int64) {
            events[event.rawValue].add(nanoseconds)
            latencies[`class`.rawValue].record(nanoseconds: nanoseconds)
            total.add(nanoseconds)
            if isWrite { writes.add(nanoseconds) } else { reads.add(nanoseconds) }
        }
    }

    private let counters = NIOLockedValueBox<[Namespace: Counters]>([:])

    package init() {}

    package var all: [(namespace: Namespace, counters: Counters)] {
        counters.withLockedValue { $0.map { ($0.key, $0.value) } }.sorted { $0.0.description < $1.0.description }
    }

    /// Of one collection or view; nil when none was counted.
    package subscript(namespace: Namespace) -> Counters? { counters.withLockedValue { $0[namespace] } }

    /// A command has succeeded that names a collection.
    package func ended(_ request: CommandRequest, nanoseconds: Int64) {
        guard request.namesCollection, let collection = request.collectionName else { return }
        let namespace = Namespace(database: request.database, collection: collection)
        let event = Event(command: request.name)
        let isWrite = request.writes
        var kind = CommandKind(command: request.name)?.class ?? .commands
        // $out and $merge.
        if kind == .reads, isWrite { kind = .writes }
        counters.withLockedValue { [kind] counters in
            guard counters[namespace] != nil || counters.count < Self.namespacesMax else { return }
            counters[namespace, default: Counters()].add(event, kind, writes: isWrite, nanoseconds)
        }
        if request.name == "drop" { counters.withLockedValue { $0[namespace] = nil } }
    }

    package func forget(database: String) {
        counters.withLockedValue { counters in counters = counters.filter { $0.key.database != database } }
    }
}

extension CommandRequest {
    /// The string beside the command's name, or `collection` of a `getMore`, is the name of a collection.
    var namesCollection: Bool {
        switch name {
        case "find", "getMore", "aggregate", "count", "distinct", "mapReduce", "mapreduce", "listIndexes", "collStats",
            "validate", "compact", "killCursors", "planCacheClear", "planCacheClearFilters", "planCacheListFilters",
            "planCacheSetFilter":
            true
        default: writes && name != "renameCollection"
        }
    }
}
