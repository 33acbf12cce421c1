internal import Access
internal import CommandModel
internal import NIOConcurrencyHelpers
package import Storage
package import Synchronization

/// Who may do what, as this server remembers it. PostgreSQL's rows are the truth.
///
/// What a connection knows of its user carries the generation that it was read at. Each change of users or roles makes
/// a new generation: at once on the server that made the change, within about a second on the others, which ask
/// for it.
package final class AccessDirectory: Sendable {
    package let store: AccessStore
    /// Whether commands are checked at all.
    package let isEnforced: Bool
    package let failedLogins: FailedLogins
    package let logins = LoginCounters()
    /// For new passwords, and for users who do not exist.
    package let iterationsSHA1 = Atomic<Int>(ScramMechanism.sha1.iterationsDefault)
    package let iterationsSHA256 = Atomic<Int>(ScramMechanism.sha256.iterationsDefault)
    /// -1 before it is known.
    private let generation = Atomic<Int64>(-1)
    private let rememberedSecret = NIOLockedValueBox<[UInt8]?>(nil)

    package init(store: AccessStore, isEnforced: Bool, failedLogins: FailedLogins = FailedLogins()) {
        self.store = store
        self.isEnforced = isEnforced
        self.failedLogins = failedLogins
    }

    func iterations(_ mechanism: ScramMechanism) -> Int {
        switch mechanism {
        case .sha1: iterationsSHA1.load(ordering: .relaxed)
        case .sha256: iterationsSHA256.load(ordering: .relaxed)
        }
    }

    /// Asks whether users or roles have changed, by another server.
    package func refresh() async {
        do throws(StorageError) {
            generation.store(try await store.generation(), ordering: .releasing)
        } catch {
            // While PostgreSQL cannot be asked it cannot be changed through it either; the next round asks again.
        }
    }

    /// Users or roles have changed through this server: nothing that was read before counts any more.
    func changed() async {
        generation.store(-1, ordering: .releasing)
        await refresh()
    }

    func isCurrent(_ user: AuthenticatedUser) -> Bool { user.generation == generation.load(ordering: .acquiring) }

    /// The user with its roles as they are now; nil when there is none of this name, or, with an `id`, another one.
    func user(_ name: UserName, id: [UInt8]? = nil, mechanism: String) async throws(StorageError) -> (
        record: UserRecord, user: AuthenticatedUser, roles: RoleGraph
    )? {
        // Read first: what changes meanwhile then makes the answer stale, not the other way round.
        let current = try await store.generation()
        generation.store(current, ordering: .releasing)
        let roles = try await store.roles()
        guard let record = try await store.user(name), id == nil || record.id == id else { return nil }
        return (record, AuthenticatedUser(record, mechanism: mechanism, roles: roles, generation: current), roles)
    }

    func secret() async throws(StorageError) -> [UInt8] {
        if let known = rememberedSecret.withLockedValue({ $0 }) { return known }
        let secret = try await store.secret()
        rememberedSecret.withLockedValue { $0 = secret }
        return secret
    }
}
