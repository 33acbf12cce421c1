internal import Synchronization

/// Operations since the start, as `serverStatus.opcounters` shows them.
package final class OperationCounters: Sendable {
    package struct Snapshot: Sendable {
        package let insert, query, update, delete, getMore, command: Int64
    }

    private let inserts = Atomic<Int64>(0)
    private let queries = Atomic<Int64>(0)
    private let updates = Atomic<Int64>(0)
    private let deletes = Atomic<Int64>(0)
    private let getMores = Atomic<Int64>(0)
    private let commands = Atomic<Int64>(0)

    package init() {}

    package func countInserts(_ count: Int) { inserts.add(Int64(count), ordering: .relaxed) }
    package func countQuery() { queries.add(1, ordering: .relaxed) }
    package func countUpdate() { updates.add(1, ordering: .relaxed) }
    package func countDelete() { deletes.add(1, ordering: .relaxed) }
    package func countGetMore() { getMores.add(1, ordering: .relaxed) }
    package func countCommand() { commands.add(1, ordering: .relaxed) }

    package var snapshot: Snapshot {
        Snapshot(
            insert: inserts.load(ordering: .relaxed), query: queries.load(ordering: .relaxed),
            update: updates.load(ordering: .relaxed), delete: deletes.load(ordering: .relaxed),
            getMore: getMores.load(ordering: .relaxed), command: commands.load(ordering: .relaxed))
    }
}
