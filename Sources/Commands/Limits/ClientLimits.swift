package import Access
package import Metrics
internal import NIOConcurrencyHelpers
package import NIOCore

/// What clients may take of this server, and what they have taken: for all connections together.
package final class ClientLimits: Sendable {
    package struct Settings: Sendable {
        package var connectionsMax = 10_000
        /// Nil: four fifths of all.
        package var connectionsPerAddressMax: Int?
        package var life = ConnectionLife.Limits()
        /// Messages and replies that all connections hold together.
        package var inFlightBytesMax = 512 * 1024 * 1024
        /// A message of somebody who must log in and has not.
        package var strangerMessageBytesMax = 64 * 1024
        package var cursorsMax = 100_000
        package var sessionsMax = 1_000_000

        package init() {}
    }

    package let settings: Settings
    package let memory: MemoryGate
    private let census: NIOLockedValueBox<ConnectionCensus>
    private let allowance = NIOLockedValueBox(LogAllowance())
    private let endings = CounterArray(count: ConnectionLife.Ending.allCases.count)
    /// Messages of somebody who has not logged in that are too long for that.
    package let messagesRefused = Counter()

    package init(_ settings: Settings = Settings()) {
        self.settings = settings
        memory = MemoryGate(bytesMax: settings.inFlightBytesMax)
        census = NIOLockedValueBox(
            ConnectionCensus(
                totalMax: settings.connectionsMax,
                addressMax: settings.connectionsPerAddressMax ?? max(1, settings.connectionsMax / 5 * 4)))
    }

    package var connections: ConnectionCensus { census.withLockedValue { $0 } }

    /// - Returns: the number of the connection, or why there is none.
    package func admit(_ address: NetworkAddress?) -> (number: Int64, refusal: ConnectionCensus.Refusal?) {
        census.withLockedValue { census in
            let refusal = census.admit(address)
            return (census.accepted, refusal)
        }
    }

    package func leave(_ address: NetworkAddress?) { census.withLockedValue { $0.leave(address) } }

    package func ended(_ ending: ConnectionLife.Ending) { endings.count(at: Self.index(ending)) }

    package func count(of ending: ConnectionLife.Ending) -> Int { endings[Self.index(ending)] }

    private static func index(_ ending: ConnectionLife.Ending) -> Int {
        ConnectionLife.Ending.allCases.firstIndex(of: ending) ?? 0
    }

    /// Whether a thing that whoever reaches the port can bring about is to be logged.
    ///
    /// - Returns: how many like it were not logged before this one; nil when this one is not.
    package func mayLog() -> Int? { allowance.withLockedValue { $0.take(now: .now()) } }
}

/// Which of many like events are told: some at once, then one a second. Pure.
package struct LogAllowance: Sendable {
    package static let burst = 20

    private var left = LogAllowance.burst
    private var refilledAt: NIODeadline?
    private var untold = 0

    package init() {}

    /// - Returns: how many were not told since the last that was; nil when this one is not to be told.
    package mutating func take(now: NIODeadline) -> Int? {
        let seconds = refilledAt.map { (now - $0).nanoseconds / 1_000_000_000 } ?? 0
        if refilledAt == nil || seconds > 0 {
            left = Int(min(Int64(Self.burst), Int64(left) + max(0, seconds)))
            refilledAt = now
        }
        guard left > 0 else {
            untold += 1
            return nil
        }
        left -= 1
        defer { untold = 0 }
        return untold
    }
}
