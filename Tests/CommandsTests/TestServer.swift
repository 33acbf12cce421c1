import Access
import BSON
import CommandModel
import Logging
import Storage

@testable import Commands

/// The state of a server without its sockets, and a connection to run commands on.
struct TestServer {
    let state: ServerState
    let context: CommandContext

    init(
        engine: StorageEngine? = nil, arguments: [String] = [], log: LogRing = LogRing(),
        enablesTestCommands: Bool = false, enforcesAccess: Bool = false, remote: NetworkAddress? = nil
    ) throws {
        let identity = ServerIdentity(
            version: "1.2.3", advertisedHost: "db.example:27017", setName: "martlet", hostName: "box", processID: 42,
            arguments: arguments, runID: ObjectID(high: 7, low: 9), postgresVersion: "15.0")
        state = ServerState(
            engine: try engine ?? TestEngine.shared.get(), identity: identity, clock: ClusterClock(), log: log,
            enablesTestCommands: enablesTestCommands, enforcesAccess: enforcesAccess)
        context = CommandContext(
            server: state, connection: ConnectionInfo(id: 5, remoteAddress: "192.0.2.1:4711", remote: remote),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Runs a command that is written in extended JSON.
    func run(_ json: String, database: String = "admin") async throws -> Document {
        try await run(Self.request(json, database: database))
    }

    func run(_ request: CommandRequest) async throws -> Document {
        guard let entry = CommandTable.standard[request.name] else {
            throw CommandError(.commandNotFound, request.name)
        }
        return try await entry.handler(request, context).builder.finish()
    }

    /// The code and the labels of the error that the command gives.
    func failure(_ json: String) async throws -> CommandError? {
        do {
            _ = try await run(json)
            return nil
        } catch let error as CommandError {
            return error
        }
    }

    /// The error that the command gives.
    func failure(_ request: CommandRequest, during operation: Operation? = nil) async -> CommandError? {
        do throws(CommandError) {
            guard let entry = CommandTable.standard[request.name] else { return nil }
            _ = try await entry.handler(request, operation.map(context.during) ?? context)
            return nil
        } catch { return error }
    }

    static func typedRequest(_ json: String, database: String) throws(CommandError) -> CommandRequest {
        do { return try request(json, database: database) } catch {
            throw error as? CommandError ?? CommandError(.failedToParse, "\(error)")
        }
    }

    static func request(_ json: String, database: String = "admin") throws -> CommandRequest {
        let fields = try Document(extendedJSON: json)
        let body = Document { builder in
            fields.withRaw { raw in
                for field in raw { builder.append(field) }
            }
            builder.append("$db", string: database)
        }
        return try CommandRequest(body: body, sequences: [])
    }
}

extension Document {
    /// The value at a dotted path, in relaxed extended JSON; nil when there is none.
    subscript(path: String) -> String? {
        withRaw { raw in
            var value: RawValue?
            var container: RawDocument? = raw
            for name in path.split(separator: ".") {
                value = container?.first { $0.key.string == name }?.value
                container = value?.container
            }
            return value?.extendedJSON(.relaxed)
        }
    }

    func type(at path: String) -> BSONType? {
        withRaw { raw in
            var value: RawValue?
            var container: RawDocument? = raw
            for name in path.split(separator: ".") {
                value = container?.first { $0.key.string == name }?.value
                container = value?.container
            }
            return value?.type
        }
    }

    var keys: [String] { withRaw { raw in raw.map { $0.key.string } } }
}
