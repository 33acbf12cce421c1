internal import Commands
internal import LivePage
internal import NIOCore
internal import NIOHTTP1

/// What the admin listener answers to which request.
struct AdminPages: Sendable {
    /// How long PostgreSQL may take before the server counts as not ready.
    static let readyTimeMax = TimeAmount.seconds(2)

    private enum Path: String, CaseIterable {
        case live = "/"
        case status = "/status.json"
        case alive = "/livez"
        case ready = "/readyz"
        case metrics = "/metrics"

        /// What browsers show, and so what pages of others might ask browsers for.
        var isForBrowsers: Bool { self == .live || self == .status }
    }

    private let state: ServerState
    private let probe: ReadinessProbe
    private let sampler: StatusSampler
    private let hosts: TrustedHosts

    init(state: ServerState, probe: ReadinessProbe, sampler: StatusSampler, hosts: TrustedHosts) {
        self.state = state
        self.probe = probe
        self.sampler = sampler
        self.hosts = hosts
    }

    func page(for head: HTTPRequestHead, on loop: any EventLoop) async -> AdminPage {
        // The query of a URL is nobody's here.
        guard let path = Path(rawValue: String(head.uri.prefix { $0 != "?" })) else {
            return AdminPage(
                status: .notFound, text: "there are /, /status.json, /livez, /readyz and /metrics\n")
        }
        guard head.method == .GET else {
            return AdminPage(status: .methodNotAllowed, text: "only GET\n", headers: [("allow", "GET")])
        }
        guard !path.isForBrowsers || hosts.admits(head.headers) else {
            return AdminPage(
                status: .misdirectedRequest,
                text: "this server does not go by that name: ask for it by its address, as localhost, or by the name "
                    + "that --admin-listen or --advertise-host gives it\n")
        }
        switch path {
        case .live: return Self.live
        case .status: return status
        case .alive: return AdminPage(status: .ok, text: "ok\n")
        case .ready: return await readiness(on: loop)
        case .metrics:
            return AdminPage(
                status: .ok, type: "text/plain; version=0.0.4; charset=utf-8", text: MetricsPage.text(state))
        }
    }

    private static let live = AdminPage(
        status: .ok, type: "text/html; charset=utf-8", text: LivePage.html,
        headers: [
            ("content-security-policy", LivePage.securityPolicy), ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"), ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ])

    private var status: AdminPage {
        guard let json = StatusReport(state, sampler.history).json else {
            return AdminPage(status: .internalServerError, text: "the report cannot be written\n")
        }
        return AdminPage(
            status: .ok, type: "application/json", text: json,
            headers: [("cross-origin-resource-policy", "same-origin")])
    }

    private func readiness(on loop: any EventLoop) async -> AdminPage {
        if await probe.isReady(within: Self.readyTimeMax, on: loop) { return AdminPage(status: .ok, text: "ok\n") }
        return AdminPage(status: .serviceUnavailable, text: "PostgreSQL does not answer\n")
    }
}
