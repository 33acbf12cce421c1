internal import Foundation
internal import ServiceLifecycle

/// Tells systemd when commands are accepted and when the end begins (`Type=notify`): a datagram each to the socket
/// that NOTIFY_SOCKET names. Elsewhere nobody asks, and nothing is sent.
struct ServiceManager: Sendable {
    private let address: [UInt8]

    init() {
        address = Self.address(of: ProcessInfo.processInfo.environment["NOTIFY_SOCKET"] ?? "")
    }

    func tell(_ state: String) {
        var target = sockaddr_un()
        guard !address.isEmpty, address.count <= MemoryLayout.size(ofValue: target.sun_path) else { return }
        target.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &target.sun_path) { $0.copyBytes(from: address) }
        let file = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard file >= 0 else { return }
        defer { close(file) }
        let length = MemoryLayout<sa_family_t>.size + address.count
        let text = Array(state.utf8)
        _ = withUnsafePointer(to: target) { target in
            target.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
                sendto(file, text, text.count, Int32(MSG_NOSIGNAL), target, socklen_t(length))
            }
        }
    }

    /// A path, or behind `@` a name that is in no file system.
    private static func address(of name: String) -> [UInt8] {
        switch name.utf8.first {
        case UInt8(ascii: "/"): Array(name.utf8)
        case UInt8(ascii: "@"): [0] + name.utf8.dropFirst()
        default: []
        }
    }
}

/// Says that the end begins.
struct StopNotice: Service {
    let manager: ServiceManager

    func run() async {
        try? await gracefulShutdown()
        manager.tell("STOPPING=1")
    }
}
