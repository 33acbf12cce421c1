internal import Commands
internal import NIOCore
internal import NIOHTTP1

/// What the admin listener answers to which request.
struct AdminPages: Sendable {
    /// How long PostgreSQL may take before the server counts as not ready.
    static let readyTimeMax = TimeAmount.seconds(2)

    private let state: ServerState
    private let probe: ReadinessProbe

    init(state: ServerState, probe: ReadinessProbe) {
        self.state = state
        self.probe = probe
    }

    func page(for head: HTTPRequestHead, on loop: any EventLoop) async -> AdminPage {
        // The query of a URL is nobody's here.
        let path = head.uri.prefix { $0 != "?" }
        guard ["/livez", "/readyz", "/metrics"].contains(path) else {
            return AdminPage(status: .notFound, text: "there are /livez, /readyz and /metrics\n")
        }
        guard head.method == .GET else {
            return AdminPage(status: .methodNotAllowed, text: "only GET\n", allow: "GET")
        }
        switch path {
        case "/livez": return AdminPage(status: .ok, text: "ok\n")
        case "/readyz": return await readiness(on: loop)
        default:
            return AdminPage(
                status: .ok, type: "text/plain; version=0.0.4; charset=utf-8", text: MetricsPage.text(state))
        }
    }

    private func readiness(on loop: any EventLoop) async -> AdminPage {
        if await probe.isReady(within: Self.readyTimeMax, on: loop) { return AdminPage(status: .ok, text: "ok\n") }
        return AdminPage(status: .serviceUnavailable, text: "PostgreSQL does not answer\n")
    }
}
