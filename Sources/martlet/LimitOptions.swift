import ArgumentParser
import Server

/// What clients may take of a server.
struct LimitOptions: ParsableArguments {
    @Option(help: "Client connections at once. (default: 10000, or fewer where there may be fewer open files)")
    var maxConnections: Int?

    @Option(help: "Of these, from one address. (default: four fifths)")
    var maxConnectionsPerAddress: Int?

    @Option(help: "Seconds until the first message of a connection must be there, TLS included. (default: 30)")
    var handshakeSeconds: Int?

    @Option(help: "Seconds for which a message may come at less than 64 kB a second. (default: 30)")
    var messageSeconds: Int?

    @Option(help: "Seconds for which a reply may be taken at less than 64 kB a second. (default: 30)")
    var replySeconds: Int?

    @Option(
        help:
            """
            Seconds after which a connection on which nothing comes is closed; 0 for never. (default: 86400; ten \
            minutes for who must log in and has not)
            """)
    var idleSeconds: Int?

    @Option(help: "Bytes that messages and replies of all connections may take together. (default: 536870912)")
    var inFlightMaxBytes: Int?

    @Option(help: "Bytes of a message of who must log in and has not. (default: 65536)")
    var loginMaxBytes: Int?

    @Option(help: "Cursors open at once. (default: 100000)")
    var maxCursors: Int?

    @Option(help: "Logical sessions that are remembered. (default: 1000000)")
    var maxSessions: Int?

    @Flag(
        inversion: .prefixedNo,
        help:
            """
            Log who logs in, what is refused, and changes of users, roles, collections and indexes, whatever the \
            level of the log is. (default: on)
            """)
    var audit: Bool?

    /// By the names that they have in files.
    var given: [(String, Int?)] {
        [
            ("maxConnections", maxConnections), ("maxConnectionsPerAddress", maxConnectionsPerAddress),
            ("handshakeSeconds", handshakeSeconds), ("messageSeconds", messageSeconds), ("replySeconds", replySeconds),
            ("idleSeconds", idleSeconds), ("inFlightMaxBytes", inFlightMaxBytes), ("loginMaxBytes", loginMaxBytes),
            ("maxCursors", maxCursors), ("maxSessions", maxSessions),
        ]
    }
}

extension LimitSettings {
    /// Room for the largest message there may be, and its reply.
    private static let inFlightBytesMin = 96_000_000
    private static let loginBytesMin = 16 * 1024

    init(_ sources: OptionSources) throws {
        self.init()
        connectionsMax = try Self.positive(sources, "maxConnections") ?? connectionsMax
        connectionsPerAddressMax = try Self.positive(sources, "maxConnectionsPerAddress") ?? connectionsPerAddressMax
        handshakeSeconds = try Self.positive(sources, "handshakeSeconds") ?? handshakeSeconds
        messageSeconds = try Self.positive(sources, "messageSeconds") ?? messageSeconds
        replySeconds = try Self.positive(sources, "replySeconds") ?? replySeconds
        idleSeconds = try Self.number(sources, "idleSeconds", atLeast: 0) ?? idleSeconds
        inFlightBytesMax =
            try Self.number(sources, "inFlightMaxBytes", atLeast: Self.inFlightBytesMin) ?? inFlightBytesMax
        strangerMessageBytesMax =
            try Self.number(sources, "loginMaxBytes", atLeast: Self.loginBytesMin) ?? strangerMessageBytesMax
        cursorsMax = try Self.positive(sources, "maxCursors") ?? cursorsMax
        sessionsMax = try Self.positive(sources, "maxSessions") ?? sessionsMax
    }

    private static func positive(_ sources: OptionSources, _ option: String) throws -> Int? {
        try number(sources, option, atLeast: 1)
    }

    private static func number(_ sources: OptionSources, _ option: String, atLeast minimum: Int) throws -> Int? {
        guard let value = try sources.int(option) else { return nil }
        guard value >= minimum, value <= Int(Int32.max) * 1_024 else {
            throw ValidationError("\(OptionSources.flag(option)) must be at least \(minimum)")
        }
        return value
    }
}
