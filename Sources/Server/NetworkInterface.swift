internal import Access

/// What the edge asks of an address.
package enum NetworkInterface {
    /// Whether `host` is an address of the loopback interface; names are not looked up.
    package static func isLoopback(_ host: String) -> Bool { NetworkAddress(host)?.isLoopback ?? false }
}
