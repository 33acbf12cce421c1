/// Pauses between attempts to connect: exponential, with full jitter, so that servers that lost PostgreSQL at the same
/// moment do not come back at the same moment.
struct Backoff {
    static let firstMilliseconds = 50
    static let longestMilliseconds = 2_000

    private var ceiling = Self.firstMilliseconds

    mutating func nextMilliseconds() -> Int {
        var generator = SystemRandomNumberGenerator()
        return nextMilliseconds(using: &generator)
    }

    mutating func nextMilliseconds(using generator: inout some RandomNumberGenerator) -> Int {
        defer { ceiling = min(ceiling * 2, Self.longestMilliseconds) }
        return Int.random(in: Self.firstMilliseconds / 2...ceiling, using: &generator)
    }
}
