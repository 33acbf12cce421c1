import ArgumentParser
import Foundation
import Logging
import Server
import ServiceLifecycle
import UnixSignals

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve clients until SIGTERM or SIGINT.",
        discussion:
            """
            Prints one line 'ready mongodb://HOST:PORT/' when commands are accepted; all else goes to the log on \
            standard error.
            """
    )

    @OptionGroup var options: ServeOptions

    func run() async throws {
        let settings = try await ServeSettings(options)
        guard let level = Logger.Level(rawValue: settings.logLevel) else {
            throw ValidationError("--log-level does not know '\(settings.logLevel)'")
        }
        let log = ServerLog.bootstrap(level: level, json: settings.logFormat == "json")
        do {
            let application = try await Application.start(settings.application, log: log) { address in
                // Not print(): whoever waits for the line reads a pipe, and print() would keep it in a buffer.
                FileHandle.standardOutput.write(Data("ready mongodb://\(address)/\n".utf8))
            }
            try await application.run()
        } catch let failure as StartFailure {
            FileHandle.standardError.write(Data("martlet: \(failure)\n".utf8))
            throw ExitCode.failure
        }
    }
}

extension ServeSettings {
    fileprivate var application: ApplicationSettings {
        var application = ApplicationSettings(
            host: listen.host, port: listen.port,
            location: postgresqlURL.map { .url($0) } ?? .embedded(dataDirectory: dataDirectory),
            advertisedHost: advertiseHost, replicaSetName: replicaSetName, version: Martlet.version,
            arguments: CommandLine.arguments)
        application.enablesTestCommands = enablesTestCommands
        application.enforcesAccess = enforcesAccess
        application.tls = tls
        application.limits = limits
        application.isAudited = isAudited
        application.backend = backend
        application.idempotencyKeyLifetimeSeconds = idempotencyKeySeconds
        application.transactionsAreSerializable = transactionsAreSerializable
        application.admin = adminListen.map {
            AdminSettings(host: $0.host, port: $0.port, isRequired: adminIsRequired)
        }
        return application
    }
}
