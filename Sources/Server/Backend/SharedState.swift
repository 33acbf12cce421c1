internal import Commands
internal import Logging
internal import NIOCore
internal import ServiceLifecycle

/// What goes back and forth between this server and the database beside the commands: settings of all servers come,
/// notes of the profiler go.
struct SharedState: Service {
    static let tick = Duration.milliseconds(250)
    static let refreshPeriod = TimeAmount.seconds(1)

    private let state: ServerState
    private let logger: Logger

    init(state: ServerState, logger: Logger) {
        self.state = state
        self.logger = logger
    }

    func run() async {
        await cancelWhenGracefulShutdown {
            var nextRefresh = NIODeadline.now()
            while !Task.isCancelled {
                if NIODeadline.now() >= nextRefresh {
                    nextRefresh = .now() + Self.refreshPeriod
                    // While PostgreSQL is away, what was set last holds.
                    try? await state.settings.refresh(from: state.engine)
                }
                await state.profiler.flush(on: state.engine, logger: logger)
                try? await Task.sleep(for: Self.tick)
            }
        }
        await state.profiler.flush(on: state.engine, logger: logger)
    }
}
