import ArgumentParser
import Foundation
import Server

struct Ping: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Succeed when the server answers and PostgreSQL does: for health checks.")

    @Option(help: "Where the server is.")
    var uri = "mongodb://127.0.0.1:27017/"

    @Option(help: "Seconds to wait for the answer.")
    var timeout = 5

    func run() async throws {
        guard let url = URLComponents(string: uri), url.scheme == "mongodb", let host = url.host else {
            throw ValidationError("--uri takes mongodb://HOST:PORT/, not '\(uri)'")
        }
        do {
            try await PingClient.ping(host: host, port: url.port ?? 27_017, timeoutSeconds: timeout)
            print("ok")
        } catch {
            FileHandle.standardError.write(Data("martlet: no answer from \(uri): \(error)\n".utf8))
            throw ExitCode.failure
        }
    }
}
