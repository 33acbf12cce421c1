internal import Commands
internal import ServiceLifecycle
internal import Storage

/// What is done beside the commands: cursors and sessions that nobody uses any more are forgotten, and `hello` learns
/// whether PostgreSQL is there.
struct Maintenance: Service {
    static let period = Duration.seconds(1)
    static let reapEvery = 4
    static let estimateEvery = 3

    private let state: ServerState
    private let backend: Backend

    init(state: ServerState, backend: Backend) {
        self.state = state
        self.backend = backend
    }

    func run() async {
        await cancelWhenGracefulShutdown {
            var rounds = 0
            while !Task.isCancelled {
                try? await Task.sleep(for: Self.period)
                state.topology.setWritable(backend.isConnected)
                state.engine.transactions.reap()
                state.engine.snapshots.reap()
                if rounds.isMultiple(of: Self.estimateEvery) { try? await state.engine.refreshEstimates() }
                try? await state.engine.refreshQuerySettings()
                rounds += 1
                if rounds.isMultiple(of: Self.reapEvery) { state.reapIdle() }
            }
        }
    }

}
