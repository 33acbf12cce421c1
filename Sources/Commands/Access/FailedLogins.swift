package import Access
internal import NIOConcurrencyHelpers
package import NIOCore

/// How often logins from each address have failed of late: who guesses passwords has to wait. Pure.
///
/// A failure is forgotten after some seconds, one after the other, so that a typing mistake costs nothing and a
/// dictionary takes years.
package struct FailedLoginState: Sendable {
    package struct Limits: Sendable {
        /// Failures that may follow each other at once.
        package var burstMax = 30.0
        package var secondsPerFailure = 3.0
        package var addressesMax = 10_000

        package init() {}
    }

    private struct Entry {
        var failures: Double
        var updatedAt: NIODeadline
    }

    private let limits: Limits
    private var entries: [NetworkAddress: Entry] = [:]

    package init(_ limits: Limits = Limits()) { self.limits = limits }

    package func mayTry(from address: NetworkAddress, now: NIODeadline) -> Bool {
        failures(of: address, now: now) + 1 <= limits.burstMax
    }

    package mutating func failed(from address: NetworkAddress, now: NIODeadline) {
        let failures = failures(of: address, now: now) + 1
        if entries[address.network] == nil { makeRoom(now: now) }
        entries[address.network] = Entry(failures: min(failures, limits.burstMax), updatedAt: now)
    }

    private func failures(of address: NetworkAddress, now: NIODeadline) -> Double {
        entries[address.network].map { left(of: $0, now: now) } ?? 0
    }

    private func left(of entry: Entry, now: NIODeadline) -> Double {
        let seconds = Double((now - entry.updatedAt).nanoseconds) / 1e9
        return max(0, entry.failures - max(0, seconds) / limits.secondsPerFailure)
    }

    /// What is forgotten anyway goes first, then who has failed least.
    private mutating func makeRoom(now: NIODeadline) {
        guard entries.count >= limits.addressesMax else { return }
        entries = entries.filter { left(of: $0.value, now: now) > 0 }
        guard entries.count >= limits.addressesMax else { return }
        let least = entries.min { left(of: $0.value, now: now) < left(of: $1.value, now: now) }
        if let least { entries[least.key] = nil }
    }

    package var count: Int { entries.count }
}

/// The same, for all connections of a server.
package final class FailedLogins: Sendable {
    private let state: NIOLockedValueBox<FailedLoginState>

    package init(_ limits: FailedLoginState.Limits = .init()) {
        state = NIOLockedValueBox(FailedLoginState(limits))
    }

    /// - Parameter address: nil for a client on this machine that has none.
    func mayTry(from address: NetworkAddress?) -> Bool {
        guard let address else { return true }
        return state.withLockedValue { $0.mayTry(from: address, now: .now()) }
    }

    func failed(from address: NetworkAddress?) {
        guard let address else { return }
        state.withLockedValue { $0.failed(from: address, now: .now()) }
    }
}
