import ArgumentParser
import Server

struct Ping: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Succeed when the server answers and PostgreSQL does: for health checks.")

    @Option(help: "Where the server is, and who asks: mongodb://[USER:PASSWORD@]HOST:PORT/[?authSource=DATABASE]")
    var uri = "mongodb://127.0.0.1:27017/"

    @Option(help: "Seconds to wait for the answer.")
    var timeout = 5

    func validate() throws {
        try ServerAddress.check(uri: uri, timeout: timeout)
    }

    func run() async throws {
        let address = try ServerAddress(uri: uri)
        do {
            try await PingClient.ping(address, timeoutSeconds: timeout)
            print("ok")
        } catch {
            throw Complaint.failure("\(ServerAddress.withoutPassword(uri)): \(NetworkReason.text(error))")
        }
    }
}
