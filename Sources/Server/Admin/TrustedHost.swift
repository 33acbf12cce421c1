internal import NIOCore
internal import NIOHTTP1

/// Whether a request was meant for this listener, by its `Host`.
///
/// A browser lets a page of `evil.example` read whatever `evil.example` answers. When that name's address changes to
/// 127.0.0.1 while the page is open (DNS rebinding), this listener is what answers. Such a request names a host that we
/// are not known by: addresses cannot be rebound, and other names than the machine's own are nobody's business here.
struct TrustedHosts: Sendable {
    private let names: Set<String>

    /// - Parameter names: that this server is known by beside `localhost` and addresses, perhaps with a port.
    init(_ names: [String]) {
        self.names = Set(names.compactMap { Self.name(in: $0) })
    }

    func admits(_ headers: HTTPHeaders) -> Bool {
        let hosts = headers["host"]
        guard hosts.count == 1, let name = Self.name(in: hosts[0]) else { return false }
        return name == "localhost" || name.hasSuffix(".localhost") || Self.isAddress(name) || names.contains(name)
    }

    /// The host without its port, in small letters; nil for what is no host.
    static func name(in host: String) -> String? {
        guard host.utf8.count <= 255, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        let (name, port): (Substring, Substring)
        if host.hasPrefix("[") {
            guard let end = host.firstIndex(of: "]") else { return nil }
            (name, port) = (host[host.index(after: host.startIndex)..<end], host[host.index(after: end)...])
            guard name.contains(":") else { return nil }
        } else {
            let end = host.firstIndex(of: ":") ?? host.endIndex
            (name, port) = (host[..<end], host[end...])
        }
        guard !name.isEmpty, port.isEmpty || port.hasPrefix(":"), port.dropFirst().allSatisfy(\.isNumber) else {
            return nil
        }
        return (name.hasSuffix(".") ? name.dropLast() : name).lowercased()
    }

    private static func isAddress(_ name: String) -> Bool {
        (try? SocketAddress(ipAddress: name, port: 0)) != nil
    }
}
