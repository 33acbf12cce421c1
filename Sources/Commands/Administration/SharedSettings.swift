package import BSON
package import CommandModel
internal import NIOConcurrencyHelpers
package import Storage
internal import Synchronization

/// What operators have set for all servers on the database: a copy of `martlet.settings`, not older than a second where
/// PostgreSQL answers. A change counts at once on the server that made it.
package final class SharedSettings: Sendable {
    package enum Name: String, Sendable {
        case defaultConcerns, clusterParameters, writeBlock
    }

    private let values = NIOLockedValueBox<[String: Document]>([:])
    private let blocksWrites = Atomic<Bool>(false)
    private let readMilliseconds = Atomic<Int64>(0)

    package init() {}

    package subscript(name: Name) -> Document? { values.withLockedValue { $0[name.rawValue] } }

    /// Asked with each command.
    package var areWritesBlocked: Bool { blocksWrites.load(ordering: .relaxed) }

    /// The time limit of reads that name none; 0 for no limit.
    package var defaultReadMilliseconds: Int64 { readMilliseconds.load(ordering: .relaxed) }

    package func refresh(from engine: StorageEngine) async throws(CommandError) {
        let read = try await engine.mapped { () async throws(StorageError) in try await engine.settings() }
        values.withLockedValue { $0 = read }
        publish()
    }

    func change(
        _ name: Name, on engine: StorageEngine,
        _ change: @escaping @Sendable (Document?) throws(CommandError) -> Document
    ) async throws(CommandError) -> Document {
        let new = try await engine.changeSetting(name.rawValue, change)
        take(new, as: name)
        return new
    }

    func take(_ value: Document, as name: Name) {
        values.withLockedValue { $0[name.rawValue] = value }
        publish()
    }

    private func publish() {
        blocksWrites.store(self[.writeBlock].map(WriteBlock.init)?.isActive ?? false, ordering: .relaxed)
        readMilliseconds.store(
            ClusterParameter.defaultReadMilliseconds(in: self[.clusterParameters]), ordering: .relaxed)
    }
}
