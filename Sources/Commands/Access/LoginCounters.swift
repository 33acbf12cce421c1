package import Metrics

/// Logins since the start, by mechanism: a fixed number of them, since clients name what they like.
package final class LoginCounters: Sendable {
    package enum Mechanism: String, Sendable, CaseIterable {
        case x509 = "MONGODB-X509"
        case plain = "PLAIN"
        case sha1 = "SCRAM-SHA-1"
        case sha256 = "SCRAM-SHA-256"
    }

    /// Of one mechanism.
    package final class Counts: Sendable {
        /// Logins that were begun; of these, the ones that a handshake carried.
        package let received = Counter()
        package let receivedSpeculatively = Counter()
        package let succeeded = Counter()
        package let succeededSpeculatively = Counter()
        /// Refused for what the client has shown, or not shown.
        package let failed = Counter()
    }

    private let counts = Mechanism.allCases.map { _ in Counts() }
    /// By a mechanism that there is not.
    package let failedOtherwise = Counter()
    /// Not looked at, because too many of this address had failed.
    package let throttled = Counter()
    /// Handshakes that asked which mechanisms a user has.
    package let mechanismsAsked = Counter()

    package init() {}

    package subscript(mechanism: Mechanism) -> Counts {
        counts[Mechanism.allCases.firstIndex(of: mechanism) ?? 0]
    }

    /// By whatever mechanism.
    package var failedInAll: Int { counts.reduce(failedOtherwise.value) { $0 + $1.failed.value } }

    func received(_ name: String, isSpeculative: Bool) {
        guard let counts = of(name) else { return }
        counts.received.count()
        if isSpeculative { counts.receivedSpeculatively.count() }
    }

    func succeeded(_ name: String, isSpeculative: Bool) {
        guard let counts = of(name) else { return }
        counts.succeeded.count()
        if isSpeculative { counts.succeededSpeculatively.count() }
    }

    func failed(_ name: String) {
        guard let counts = of(name) else { return failedOtherwise.count() }
        counts.failed.count()
    }

    private func of(_ name: String) -> Counts? { Mechanism(rawValue: name).map { self[$0] } }
}
