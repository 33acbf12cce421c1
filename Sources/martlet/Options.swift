import ArgumentParser
import Configuration
import Server

/// The options of `serve`. Each may come from the command line, from the environment (`MARTLET_` and the name in upper
/// case) or from a YAML file (the name in camel case); the first of these that gives it counts.
struct ServeOptions: ParsableArguments {
    @Option(help: "Address and port for clients. (default: 127.0.0.1:27017)")
    var listen: String?

    @Option(help: "Directory of the embedded PostgreSQL; made when missing. (default: ./martlet-data)")
    var dataDirectory: String?

    @Option(name: .customLong("postgresql-url"), help: "Use this PostgreSQL (15 or newer) instead of an embedded one.")
    var postgresqlURL: String?

    @Option(
        name: .customLong("postgresql-bin"),
        help: "Directory of postgres and initdb, for the embedded one. (default: where packages put the newest)")
    var postgresqlBin: String?

    @Option(
        help:
            """
            HOST:PORT for health checks and metrics over HTTP, or off. There is no authentication: keep it on the \
            loopback interface. (default: 127.0.0.1:8017)
            """)
    var adminListen: String?

    @Option(help: "HOST:PORT under which clients reach this server. (default: the address of --listen)")
    var advertiseHost: String?

    @Option(help: "Name of the replica set that clients see. (default: martlet)")
    var replicaSetName: String?

    @Option(help: "trace, debug, info, notice, warning, error or critical. (default: info)")
    var logLevel: String?

    @Option(help: "text or json. (default: text)")
    var logFormat: String?

    @Option(
        name: .customLong("analytics-url"),
        help: "A replica of that PostgreSQL, for reads of clients that prefer secondaries. It may lag behind.")
    var analyticsURL: String?

    @Option(help: "Rows from which a read goes to the analytics connections. (default: 10000)")
    var analyticsThreshold: Int?

    @Option(help: "Isolation of transactions that do not ask for one: snapshot or serializable. (default: snapshot)")
    var transactionIsolation: String?

    @Option(help: "Seconds for which the reply to an application's idempotency key is kept. (default: 86400)")
    var idempotencyKeySeconds: Int?

    @Option(help: "hybrid; to measure it against: optimistic, pessimistic. (default: hybrid)")
    var writeStrategy: String?

    @Option(
        help:
            """
            Directory for temporary files of large sorts; only this user may write to it. (default: spill in the data \
            directory, or one in the system's for temporary files)
            """)
    var spillDirectory: String?

    @Option(help: "Bytes that temporary files may take together. (default: 21474836480)")
    var spillMaxBytes: Int?

    @Flag(
        inversion: .prefixedNo,
        help:
            """
            Clients must log in, and may do what their roles say; the first user is made from this machine. \
            (default: off on the loopback interface, on everywhere else)
            """)
    var auth: Bool?

    @Option(help: "PEM file with the server's certificate and those above it: connections are encrypted.")
    var tlsCertificate: String?

    @Option(help: "PEM file with the key of that certificate.")
    var tlsKey: String?

    @Option(
        name: .customLong("tls-client-ca"),
        help: "PEM file with who signs the certificates that clients must show. Without it they need none.")
    var tlsClientCA: String?

    @Option(help: "1.2 or 1.3. (default: 1.2)")
    var tlsMinimumVersion: String?

    @OptionGroup var limits: LimitOptions

    @Flag(help: "Offer the commands that drivers' tests use to make other commands fail. Never for production.")
    var enableTestCommands = false

    @Option(help: "YAML file with options. Environment: MARTLET_CONFIG.")
    var config: String?
}

extension ServeOptions {
    /// What the command line gives, under the names that the options have in a file.
    var given: [(name: String, value: ConfigContent?)] {
        let texts: [(String, String?)] = [
            ("listen", listen), ("adminListen", adminListen), ("dataDirectory", dataDirectory),
            ("postgresqlUrl", postgresqlURL), ("postgresqlBin", postgresqlBin), ("advertiseHost", advertiseHost),
            ("replicaSetName", replicaSetName),
            ("logLevel", logLevel), ("logFormat", logFormat), ("analyticsUrl", analyticsURL),
            ("transactionIsolation", transactionIsolation), ("writeStrategy", writeStrategy),
            ("spillDirectory", spillDirectory), ("tlsCertificate", tlsCertificate), ("tlsKey", tlsKey),
            ("tlsClientCa", tlsClientCA), ("tlsMinimumVersion", tlsMinimumVersion),
        ]
        let numbers: [(String, Int?)] = [
            ("analyticsThreshold", analyticsThreshold), ("idempotencyKeySeconds", idempotencyKeySeconds),
            ("spillMaxBytes", spillMaxBytes),
        ]
        let answers: [(String, Bool?)] = [
            ("enableTestCommands", enableTestCommands ? true : nil), ("auth", auth), ("audit", limits.audit),
        ]
        return texts.map { ($0, $1.map(ConfigContent.string)) }
            + (numbers + limits.given).map { ($0, $1.map(ConfigContent.int)) }
            + answers.map { ($0, $1.map(ConfigContent.bool)) }
    }

    var names: [String] { given.map(\.name) }
}

/// The options after all sources were read.
struct ServeSettings {
    var listen: Endpoint
    /// Nil when there is to be none.
    var adminListen: Endpoint?
    /// Somebody asked for it: then it is an error when it cannot be had.
    var adminIsRequired: Bool
    var dataDirectory: String
    var postgresqlURL: String?
    var advertiseHost: String
    var replicaSetName: String
    var logLevel: String
    var logFormat: String
    var enablesTestCommands: Bool
    var enforcesAccess: Bool
    var tls: TLSSettings?
    var limits: LimitSettings
    var isAudited: Bool
    var backend = BackendSettings()
    var idempotencyKeySeconds: Int32
    var transactionsAreSerializable: Bool
    /// Of the environment: they look like options and are none.
    var strangeVariables: [String]

    init(_ options: ServeOptions) throws {
        let sources = try OptionSources(options)
        strangeVariables = sources.strangeVariables
        let listen = try sources.string("listen") ?? "127.0.0.1:27017"
        guard let endpoint = Endpoint(listen) else {
            throw ValidationError("--listen takes HOST:PORT, not '\(listen)'")
        }
        self.listen = endpoint
        let admin = try sources.string("adminListen")
        adminIsRequired = admin != nil
        adminListen = try Self.adminEndpoint(admin ?? "127.0.0.1:8017")
        dataDirectory = try sources.string("dataDirectory") ?? "martlet-data"
        postgresqlURL = try sources.string("postgresqlUrl")
        advertiseHost = try sources.string("advertiseHost") ?? endpoint.advertised
        replicaSetName = try sources.string("replicaSetName") ?? "martlet"
        logLevel = try sources.string("logLevel") ?? "info"
        logFormat = try sources.string("logFormat") ?? "text"
        enablesTestCommands = try sources.bool("enableTestCommands") ?? false
        // Open to a network without a login only when somebody says so.
        enforcesAccess = try sources.bool("auth") ?? !endpoint.isLoopback
        limits = try LimitSettings(sources)
        isAudited = try sources.bool("audit") ?? true
        let isolation = try sources.string("transactionIsolation") ?? "snapshot"
        guard ["snapshot", "serializable"].contains(isolation) else {
            throw ValidationError("--transaction-isolation takes snapshot or serializable, not '\(isolation)'")
        }
        transactionsAreSerializable = isolation == "serializable"
        idempotencyKeySeconds = Int32(clamping: try sources.int("idempotencyKeySeconds") ?? 86_400)
        guard idempotencyKeySeconds > 0 else { throw ValidationError("--idempotency-key-seconds must be positive") }
        try takeBackend(sources)
        tls = try Self.tls(sources)
        guard ["text", "json"].contains(logFormat) else {
            throw ValidationError("--log-format takes text or json, not '\(logFormat)'")
        }
        guard Endpoint(advertiseHost) != nil else {
            throw ValidationError("--advertise-host takes HOST:PORT, not '\(advertiseHost)'")
        }
    }

    private static func tls(_ sources: OptionSources) throws -> TLSSettings? {
        let (certificate, key) = (try sources.string("tlsCertificate"), try sources.string("tlsKey"))
        let (authority, version) = (try sources.string("tlsClientCa"), try sources.string("tlsMinimumVersion"))
        guard let certificate, let key else {
            // Who asks for a part of it must not get a server that encrypts nothing.
            guard certificate == nil, key == nil, authority == nil, version == nil else {
                throw ValidationError("TLS needs both --tls-certificate and --tls-key")
            }
            return nil
        }
        var tls = TLSSettings(certificate: certificate, key: key)
        tls.clientAuthority = authority
        guard let minimum = TLSSettings.Version(rawValue: version ?? "1.2") else {
            throw ValidationError("--tls-minimum-version takes 1.2 or 1.3, not '\(version ?? "")'")
        }
        tls.minimumVersion = minimum
        return tls
    }

    private mutating func takeBackend(_ sources: OptionSources) throws {
        backend.postgresqlBin = try sources.string("postgresqlBin")
        backend.replica = try sources.string("analyticsUrl")
        backend.analyticsThreshold = Int64(try sources.int("analyticsThreshold") ?? 10_000)
        guard backend.analyticsThreshold >= 0 else {
            throw ValidationError("--analytics-threshold must not be negative")
        }
        backend.spillDirectory = try sources.string("spillDirectory")
        backend.spillBytesMax = try sources.int("spillMaxBytes") ?? backend.spillBytesMax
        guard backend.spillBytesMax >= 0 else { throw ValidationError("--spill-max-bytes must not be negative") }
        let strategy = try sources.string("writeStrategy") ?? "hybrid"
        guard backend.chooseWriteStrategy(strategy) else {
            throw ValidationError("--write-strategy takes hybrid, optimistic or pessimistic, not '\(strategy)'")
        }
    }

    private static func adminEndpoint(_ text: String) throws -> Endpoint? {
        if text == "off" { return nil }
        guard let endpoint = Endpoint(text) else {
            throw ValidationError("--admin-listen takes HOST:PORT or off, not '\(text)'")
        }
        return endpoint
    }
}

/// `HOST:PORT`, with the host of an IPv6 address in brackets.
struct Endpoint {
    let host: String
    let port: Int

    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65_535).contains(port)
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard !host.isEmpty else { return nil }
        self.host = String(host)
        self.port = port
    }

    /// Reached from this machine only.
    var isLoopback: Bool {
        if host == "localhost" { return true }
        return NetworkInterface.isLoopback(host)
    }

    /// What clients are told when nothing else is said: a wildcard address reaches nobody.
    var advertised: String {
        let name = ["0.0.0.0", "::"].contains(host) ? "localhost" : host
        return name.contains(":") ? "[\(name)]:\(port)" : "\(name):\(port)"
    }
}
