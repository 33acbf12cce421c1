import ArgumentParser

@main
struct Martlet: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "martlet",
        abstract:
            "A document database server that speaks the MongoDB wire protocol and keeps its documents in PostgreSQL.",
        version: "martlet \(version)",
        subcommands: [Serve.self, Ping.self, ShowSQL.self, CreateUser.self])
}
