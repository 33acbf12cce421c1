import ArgumentParser
import Configuration
import Foundation
import Server
import SystemPackage

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
            Directory for temporary files of large sorts; only this user may write to it. (default: spill in the data \\
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

    init(_ options: ServeOptions) async throws {
        let reader = try await Self.reader(options)
        let listen = reader.string(forKey: "listen", default: "127.0.0.1:27017")
        guard let endpoint = Endpoint(listen) else {
            throw ValidationError("--listen takes HOST:PORT, not '\(listen)'")
        }
        self.listen = endpoint
        let admin = reader.string(forKey: "adminListen")
        adminIsRequired = admin != nil
        adminListen = try Self.adminEndpoint(admin ?? "127.0.0.1:8017")
        dataDirectory = reader.string(forKey: "dataDirectory", default: "martlet-data")
        postgresqlURL = reader.string(forKey: "postgresqlUrl", isSecret: true)
        advertiseHost = reader.string(forKey: "advertiseHost", default: endpoint.advertised)
        replicaSetName = reader.string(forKey: "replicaSetName", default: "martlet")
        logLevel = reader.string(forKey: "logLevel", default: "info")
        logFormat = reader.string(forKey: "logFormat", default: "text")
        enablesTestCommands = reader.bool(forKey: "enableTestCommands", default: false)
        enforcesAccess = Self.enforcesAccess(reader, endpoint)
        limits = try LimitSettings(reader)
        isAudited = reader.bool(forKey: "audit", default: true)
        let isolation = reader.string(forKey: "transactionIsolation", default: "snapshot")
        guard ["snapshot", "serializable"].contains(isolation) else {
            throw ValidationError("--transaction-isolation takes snapshot or serializable, not '\(isolation)'")
        }
        transactionsAreSerializable = isolation == "serializable"
        idempotencyKeySeconds = Int32(clamping: reader.int(forKey: "idempotencyKeySeconds", default: 86_400))
        guard idempotencyKeySeconds > 0 else { throw ValidationError("--idempotency-key-seconds must be positive") }
        try takeBackend(reader)
        tls = try Self.tls(reader)
        guard ["text", "json"].contains(logFormat) else {
            throw ValidationError("--log-format takes text or json, not '\(logFormat)'")
        }
        guard Endpoint(advertiseHost) != nil else {
            throw ValidationError("--advertise-host takes HOST:PORT, not '\(advertiseHost)'")
        }
    }

    /// Open to a network without a login only when somebody says so.
    private static func enforcesAccess(_ reader: ConfigReader, _ endpoint: Endpoint) -> Bool {
        reader.bool(forKey: "auth", default: !endpoint.isLoopback)
    }

    private static func tls(_ reader: ConfigReader) throws -> TLSSettings? {
        let (certificate, key) = (reader.string(forKey: "tlsCertificate"), reader.string(forKey: "tlsKey"))
        let (authority, version) = (reader.string(forKey: "tlsClientCa"), reader.string(forKey: "tlsMinimumVersion"))
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

    private mutating func takeBackend(_ reader: ConfigReader) throws {
        backend.replica = reader.string(forKey: "analyticsUrl", isSecret: true)
        backend.analyticsThreshold = Int64(reader.int(forKey: "analyticsThreshold", default: 10_000))
        guard backend.analyticsThreshold >= 0 else {
            throw ValidationError("--analytics-threshold must not be negative")
        }
        backend.spillDirectory = reader.string(forKey: "spillDirectory")
        backend.spillBytesMax = reader.int(forKey: "spillMaxBytes", default: backend.spillBytesMax)
        guard backend.spillBytesMax >= 0 else { throw ValidationError("--spill-max-bytes must not be negative") }
        let strategy = reader.string(forKey: "writeStrategy", default: "hybrid")
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

    private static func reader(_ options: ServeOptions) async throws -> ConfigReader {
        var providers: [any ConfigProvider] = [
            InMemoryProvider(name: "command line", values: flags(options)),
            EnvironmentVariablesProvider().prefixKeys(with: "martlet"),
        ]
        let environment = ProcessInfo.processInfo.environment
        if let path = options.config ?? environment["MARTLET_CONFIG"] {
            providers.append(try await FileProvider<YAMLSnapshot>(filePath: FilePath(path)))
        }
        return ConfigReader(providers: providers)
    }

    private static func flags(_ options: ServeOptions) -> [AbsoluteConfigKey: ConfigValue] {
        let given: [(String, String?)] = [
            ("listen", options.listen), ("adminListen", options.adminListen),
            ("dataDirectory", options.dataDirectory),
            ("postgresqlUrl", options.postgresqlURL), ("advertiseHost", options.advertiseHost),
            ("replicaSetName", options.replicaSetName), ("logLevel", options.logLevel),
            ("logFormat", options.logFormat), ("analyticsUrl", options.analyticsURL),
            ("transactionIsolation", options.transactionIsolation), ("writeStrategy", options.writeStrategy),
            ("spillDirectory", options.spillDirectory), ("tlsCertificate", options.tlsCertificate),
            ("tlsKey", options.tlsKey), ("tlsClientCa", options.tlsClientCA),
            ("tlsMinimumVersion", options.tlsMinimumVersion),
        ]
        var values: [AbsoluteConfigKey: ConfigValue] = [:]
        for case (let name, let value?) in given { values[[name]] = ConfigValue(.string(value), isSecret: false) }
        let numbers: [(String, Int?)] = [
            ("analyticsThreshold", options.analyticsThreshold),
            ("idempotencyKeySeconds", options.idempotencyKeySeconds), ("spillMaxBytes", options.spillMaxBytes),
        ]
        for case (let name, let value?) in numbers + options.limits.given {
            values[[name]] = ConfigValue(.int(value), isSecret: false)
        }
        if options.enableTestCommands {
            values[["enableTestCommands"]] = ConfigValue(.bool(true), isSecret: false)
        }
        if let audit = options.limits.audit { values[["audit"]] = ConfigValue(.bool(audit), isSecret: false) }
        if let auth = options.auth { values[["auth"]] = ConfigValue(.bool(auth), isSecret: false) }
        return values
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
