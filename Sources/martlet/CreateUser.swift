import ArgumentParser
import Foundation
import Server

struct CreateUser: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a user: the first one of a server, or with the rights of the one in --uri another.",
        discussion:
            """
            The password is read from standard input, one line. A server without users takes the first one from its \
            own machine:

              martlet create-user admin --role root
            """)

    @Argument(help: "The name of the user.")
    var name: String

    @Option(help: "A role of the database admin, or ROLE@DATABASE. May be given more than once.")
    var role: [String] = []

    @Option(help: "The database that the user belongs to.")
    var database = "admin"

    @Option(help: "Where the server is, and who asks: mongodb://[USER:PASSWORD@]HOST:PORT/[?authSource=DATABASE]")
    var uri = "mongodb://127.0.0.1:27017/"

    @Option(help: "Seconds to wait for the answer.")
    var timeout = 30

    func validate() throws {
        try ServerAddress.check(uri: uri, timeout: timeout)
    }

    func run() async throws {
        let address = try ServerAddress(uri: uri)
        if isatty(STDIN_FILENO) == 1 { Complaint.say("password: ") }
        guard let password = Self.withoutEcho({ readLine() }), !password.isEmpty else {
            throw Complaint.failure("standard input has no password")
        }
        do {
            let roles = role.map { text in
                let parts = text.split(separator: "@", maxSplits: 1).map(String.init)
                return UserClient.Role(name: parts.first ?? "", database: parts.count == 2 ? parts[1] : "admin")
            }
            try await UserClient.create(
                name, password: password, roles: roles, in: database, at: address, timeoutSeconds: timeout)
            print("ok")
        } catch {
            throw Complaint.failure(NetworkReason.text(error))
        }
    }

    /// What is typed at a terminal meanwhile is not shown.
    private static func withoutEcho<R>(_ body: () -> R) -> R {
        var settings = termios()
        guard tcgetattr(STDIN_FILENO, &settings) == 0 else { return body() }
        var silent = settings
        silent.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSANOW, &silent)
        defer {
            tcsetattr(STDIN_FILENO, TCSANOW, &settings)
            Complaint.say("\n")
        }
        return body()
    }
}
