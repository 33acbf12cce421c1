internal import Commands
package import Logging
package import ServiceLifecycle
internal import Storage

/// What is done beside the commands: cursors and sessions that nobody uses any more are forgotten, and `hello` learns
/// whether PostgreSQL is there.
package struct Maintenance: Service {
    static let period = Duration.seconds(1)
    static let reapEvery = 60

    private let state: ServerState
    private let backend: Backend
    private let logger: Logger

    package init(state: ServerState, backend: Backend, logger: Logger) {
        self.state = state
        self.backend = backend
        self.logger = logger
    }

    package func run() async {
        await cancelWhenGracefulShutdown {
            var rounds = 0
            while !Task.isCancelled {
                try? await Task.sleep(for: Self.period)
                state.topology.setWritable(backend.isConnected)
                rounds += 1
                if rounds.isMultiple(of: Self.reapEvery) { reap() }
            }
        }
    }

    private func reap() {
        state.engine.cursors.kill(sessions: state.sessions.reap())
        let cursors = state.engine.cursors.reap()
        if cursors > 0 { logger.info("idle cursors closed", metadata: ["count": "\(cursors)"]) }
    }
}
