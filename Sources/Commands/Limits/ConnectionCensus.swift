package import Access

/// The client connections that are open, and whether one more may come. Pure.
///
/// What is noted of addresses is never more than the connections that are open.
package struct ConnectionCensus: Sendable {
    package enum Refusal: String, Sendable, CaseIterable {
        /// All places are taken.
        case total
        /// The address has all that one address may have.
        case address
    }

    package let totalMax: Int
    package let addressMax: Int
    package private(set) var open = 0
    package private(set) var accepted: Int64 = 0
    private var rejectedCounts: [Refusal: Int64] = [:]
    private var openByNetwork: [NetworkAddress: Int] = [:]

    package init(totalMax: Int, addressMax: Int) {
        self.totalMax = totalMax
        self.addressMax = addressMax
    }

    /// - Parameter address: nil for a client on this machine that has none.
    /// - Returns: why not. Without a reason the connection is open, until ``leave(_:)``.
    package mutating func admit(_ address: NetworkAddress?) -> Refusal? {
        if let refusal = refusal(of: address) {
            rejectedCounts[refusal, default: 0] += 1
            return refusal
        }
        open += 1
        accepted += 1
        if let address { openByNetwork[address.network, default: 0] += 1 }
        return nil
    }

    private func refusal(of address: NetworkAddress?) -> Refusal? {
        if open >= totalMax { return .total }
        if let address, openByNetwork[address.network] ?? 0 >= addressMax { return .address }
        return nil
    }

    /// A connection that was admitted is closed.
    package mutating func leave(_ address: NetworkAddress?) {
        open -= 1
        guard let network = address?.network, let count = openByNetwork[network] else { return }
        openByNetwork[network] = count > 1 ? count - 1 : nil
    }

    package func rejected(_ refusal: Refusal) -> Int64 { rejectedCounts[refusal] ?? 0 }

    package var rejected: Int64 { rejectedCounts.values.reduce(0, +) }

    package var networks: Int { openByNetwork.count }
}
