internal import Commands
internal import ServiceLifecycle

/// Finds out what other servers have changed of users and roles. Alone, because it waits for PostgreSQL, and nothing
/// else that waits may keep a right alive that was taken away.
struct AccessRefresher: Service {
    static let period = Duration.seconds(1)

    let directory: AccessDirectory

    func run() async {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await directory.refresh()
                try? await Task.sleep(for: Self.period)
            }
        }
    }
}
