internal import Access
internal import BSON
internal import CommandModel
package import Logging

/// Who has come in, who was not let, and what was changed: events for whoever has to answer for a database.
///
/// They go to the log under a label of their own (`martlet.audit`, the component AUDIT of `getLog`), each with `event`,
/// `user`, `remote` and, when something was refused, `code`; with `--log-format json` these are fields. The level of
/// the log does not keep them out, `--no-audit` does.
package struct AuditLog: Sendable {
    package static let label = "martlet.audit"

    package enum Login: String, Sendable {
        case authenticated, authenticationFailed, loggedOut

        var message: Logger.Message {
            switch self {
            case .authenticated: "authenticated"
            case .authenticationFailed: "authentication failed"
            case .loggedOut: "logged out"
            }
        }
    }

    private let logger: Logger?

    /// - Parameter logger: nil for no audit.
    package init(_ logger: Logger?) {
        var logger = logger
        // Whatever else is to be logged.
        logger?.logLevel = .info
        self.logger = logger
    }

    package var isOn: Bool { logger != nil }

    /// - Parameter user: who logs in or out, as the client says.
    func note(
        _ login: Login, _ user: String, on connection: ConnectionInfo, _ metadata: Logger.Metadata = [:]
    ) {
        guard let logger else { return }
        var metadata = metadata
        metadata["event"] = "authentication"
        metadata["user"] = "\(user)"
        metadata["remote"] = "\(connection.remoteAddress)"
        metadata["connection"] = "\(connection.id)"
        if login == .authenticationFailed { metadata["code"] = "\(ErrorCode.authenticationFailed.number)" }
        logger.log(level: login == .authenticationFailed ? .warning : .notice, login.message, metadata: metadata)
    }

    /// A command is over: it may have changed something, or have been refused.
    ///
    /// - Parameters:
    ///   - rule: of the command.
    ///   - mayLog: asked where a stranger can bring the event about: how many like it were not told before, or nil.
    package func note(_ ended: EndedCommand, _ rule: AuditRule?, mayLog: () -> Int?) {
        guard let logger, rule != nil || ended.reply.isFailure else { return }
        let code = ended.code
        let isRefused = code == ErrorCode.unauthorized.number
        guard rule != nil || isRefused else { return }
        let user = ended.connection.user
        var metadata: Logger.Metadata = rule?.facts(of: ended.request) ?? [:]
        if user == nil, isRefused {
            // Whoever reaches the port could fill the log.
            guard let untold = mayLog() else { return }
            if untold > 0 { metadata["untold"] = "\(untold)" }
        }
        metadata["event"] = "\(isRefused ? "authorization" : rule?.event ?? "")"
        metadata["command"] = "\(ended.request.name.forLog)"
        metadata["database"] = "\(ended.request.database.forLog)"
        metadata["user"] = "\(user?.name.forLog ?? "nobody")"
        metadata["remote"] = "\(ended.connection.remoteAddress)"
        metadata["connection"] = "\(ended.connection.id)"
        if code != 0 { metadata["code"] = "\(code)" }
        logger.log(
            level: code == 0 ? .notice : .warning, Self.message(rule, code: code, isRefused: isRefused),
            metadata: metadata)
    }

    private static func message(_ rule: AuditRule?, code: Int32, isRefused: Bool) -> Logger.Message {
        if isRefused { return "not authorized" }
        switch (rule, code == 0) {
        case (.principal, true): return "access changed"
        case (.principal, false): return "access not changed"
        case (.server, true): return "server changed"
        case (.server, false): return "server not changed"
        case (_, true): return "schema changed"
        case (_, false): return "schema not changed"
        }
    }
}

extension EndedCommand {
    /// 0 when it did not fail.
    fileprivate var code: Int32 {
        guard reply.isFailure else { return 0 }
        return Int32(clamping: reply.withFields { $0["code"]?.number?.saturatingInt64 ?? 0 })
    }
}
