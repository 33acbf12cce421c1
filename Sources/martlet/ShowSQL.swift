import ArgumentParser
import Server

struct ShowSQL: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sql",
        abstract: "Print the SQL that a command would send, with its pool, isolation and parameters. Nothing is run.",
        discussion:
            """
            Asks a server that runs, because only it knows which index it would use:

              martlet sql --database app '{"find": "orders", "filter": {"customer": "c1"}}'
            """)

    @Argument(help: "A find, aggregate, count, distinct, insert, update, delete or findAndModify in extended JSON.")
    var command: String

    @Option(help: "The database of the command.")
    var database = "test"

    @Option(help: "Where the server is, and who asks: mongodb://[USER:PASSWORD@]HOST:PORT/[?authSource=DATABASE]")
    var uri = "mongodb://127.0.0.1:27017/"

    @Option(help: "Seconds to wait for the answer.")
    var timeout = 10

    func validate() throws {
        try ServerAddress.check(uri: uri, timeout: timeout)
    }

    func run() async throws {
        let address = try ServerAddress(uri: uri)
        do {
            print(
                try await SQLClient.show(
                    command, database: database, at: address, timeoutSeconds: timeout))
        } catch {
            throw Complaint.failure(NetworkReason.text(error))
        }
    }
}
