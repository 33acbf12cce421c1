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
        let (settings, level) = try settings()
        let log = ServerLog.bootstrap(level: level, json: settings.logFormat == "json")
        for variable in settings.strangeVariables {
            log.logger.warning("there is no option of this name", metadata: ["variable": "\(variable)"])
        }
        do {
            let application = try await Application.start(settings.application, log: log) { address in
                // Not print(): whoever waits for the line reads a pipe, and print() would keep it in a buffer.
                Complaint.say("ready mongodb://\(address)/\n", to: .standardOutput)
            }
            try await application.run()
        } catch let failure as StartFailure {
            throw Complaint.failure("\(failure)")
        } catch {
            throw Complaint.failure("the server came to an end: \(NetworkReason.text(error))")
        }
    }

    private func settings() throws -> (ServeSettings, Logger.Level) {
        do {
            let settings = try ServeSettings(options)
            guard let level = Logger.Level(rawValue: settings.logLevel) else {
                throw ValidationError("--log-level does not know '\(settings.logLevel)'")
            }
            return (settings, level)
        } catch let error as ValidationError {
            throw Complaint.usage(error.message, of: "serve")
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
