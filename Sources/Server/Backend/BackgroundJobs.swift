internal import BSON
internal import Commands
internal import Logging
internal import NIOCore
internal import ServiceLifecycle
internal import Storage
internal import Synchronization

/// The work that one of the servers on a database does for all of them, under a lease. Apart from ``Maintenance``,
/// because it waits for PostgreSQL, which `hello` must not.
struct BackgroundJobs: Service {
    static let leaseName = "maintenance"
    static let tick = Duration.seconds(1)
    static let reapPeriod = TimeAmount.seconds(60)
    static let renewPeriod = TimeAmount.seconds(30)
    static let reconciliationPeriod = TimeAmount.seconds(10)

    private let state: ServerState
    private let logger: Logger

    init(state: ServerState, logger: Logger) {
        self.state = state
        self.logger = logger
    }

    func run() async {
        let (state, engine, logger, holder) = (state, state.engine, logger, holder)
        await cancelWhenGracefulShutdown {
            var keeper = LeaseKeeper(Self.leaseName, holder: holder, engine: engine, logger: logger)
            let reconciler = IndexReconciler(engine: engine, logger: logger)
            var nextReaping = NIODeadline.now()
            var nextRenewal = NIODeadline.now()
            var nextReconciliation = NIODeadline.now()
            var nextExpiry = NIODeadline.now()
            var lastToken: LeaseToken?
            while !Task.isCancelled {
                await keeper.tick()
                if NIODeadline.now() >= nextRenewal {
                    nextRenewal = .now() + Self.renewPeriod
                    // If PostgreSQL cannot be reached now, nobody else drops them now either.
                    try? await engine.catalog.renewUnfinished()
                }
                // A new holder does not know what the last one has left undone.
                if let token = keeper.token, token != lastToken || NIODeadline.now() >= nextReaping {
                    lastToken = token
                    nextReaping = .now() + Self.reapPeriod
                    _ = await SessionReaper.run(with: &keeper, counters: engine.metrics.leases, logger: logger)
                    let now = Int64(state.now) * 1_000
                    _ = await CollectionReaper.run(with: &keeper, logger: logger)
                    _ = await ViewRefresher.run(with: &keeper, logger: logger)
                    _ = await DocumentReaper.run(with: &keeper, engine: engine, now: now, logger: logger)
                }
                if let token = keeper.token, NIODeadline.now() >= nextReconciliation {
                    nextReconciliation = .now() + Self.reconciliationPeriod
                    await reconciler.run(under: token)
                }
                let sleep = TimeAmount.seconds(state.expiry.sleepSeconds.load(ordering: .relaxed))
                nextExpiry = min(nextExpiry, .now() + sleep)
                if keeper.token != nil, NIODeadline.now() >= nextExpiry {
                    nextExpiry = .now() + sleep
                    let now = ClusterClock.wallMilliseconds()
                    await state.expiry.run(with: &keeper, engine: engine, now: now, logger: logger)
                }
                try? await Task.sleep(for: Self.tick)
            }
            await keeper.release()
        }
    }

    private var holder: String {
        "\(state.identity.hostName)/\(state.identity.processID)/\(state.identity.runID.hexString)"
    }
}
