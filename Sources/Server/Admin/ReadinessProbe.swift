internal import CommandModel
internal import NIOCore
internal import Storage

/// Asks PostgreSQL on behalf of `/readyz`, one question at a time.
///
/// A question to a PostgreSQL that hangs cannot be taken back, so it must not be the asker who waits for it: else each
/// check would leave a request in the pool behind. Here one task asks, and those who want to know wait for its answer
/// or for their time.
final class ReadinessProbe: Sendable {
    /// More than may ask at once: ``AdminServer/connectionsMax``.
    private static let waitingMax = 64

    private let engine: StorageEngine
    private let questions: AsyncStream<EventLoopPromise<Bool>>
    private let asker: AsyncStream<EventLoopPromise<Bool>>.Continuation

    init(engine: StorageEngine) {
        self.engine = engine
        (questions, asker) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(Self.waitingMax))
    }

    /// Until the task is cancelled.
    func run() async {
        for await question in questions { question.succeed(await answers()) }
    }

    func isReady(within limit: TimeAmount, on loop: any EventLoop) async -> Bool {
        let promise = loop.makePromise(of: Bool.self)
        // Who comes second, the answer or the time, finds the promise kept and changes nothing.
        let timer = loop.scheduleTask(in: limit) { promise.succeed(false) }
        defer { timer.cancel() }
        asker.yield(promise)
        do { return try await promise.futureResult.get() } catch { return false }
    }

    private func answers() async -> Bool {
        do throws(CommandError) {
            try await engine.ping()
            return true
        } catch { return false }
    }
}
