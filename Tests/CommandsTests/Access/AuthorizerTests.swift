import Access
import BSON
import CommandModel
import Testing

@testable import Commands

@Suite("The check before a command", .timeLimit(.minutes(20)))
struct AuthorizerTests {
    private func check(_ json: String, _ server: TestServer, in database: String = "app") async -> CommandError? {
        do throws(CommandError) {
            let request = try TestServer.typedRequest(json, database: database)
            guard let entry = CommandTable.standard[request.name] else { return nil }
            _ = try await Authorizer.check(entry, request, server.context)
            return nil
        } catch { return error }
    }

    @Test("without a login only the handshake and the login are open")
    func unauthenticated() async throws {
        let server = try TestServer(enforcesAccess: true)
        for command in CommandTable.standard.all {
            let error = await check(#"{"\#(command.name)": 1}"#, server)
            #expect((error == nil) == command.access.isForEverybody, "\(command.name): \(String(describing: error))")
            if let error { #expect(error.code == .unauthorized) }
        }
    }

    @Test("the first user is not made from afar, nor in another database")
    func firstUser() async throws {
        let server = try TestServer(enforcesAccess: true)
        // The test server's client has no address, as one on this machine; PostgreSQL is not there to be asked.
        let command = #"{"createUser": "u", "pwd": "p", "roles": []}"#
        #expect(await check(command, server, in: "app")?.message == "Command createUser requires authentication")
        #expect(await check(command, server, in: "admin")?.code == .notWritablePrimary)
        let afar = try TestServer(enforcesAccess: true, remote: NetworkAddress("192.0.2.1"))
        #expect(await check(command, afar, in: "admin")?.message == "Command createUser requires authentication")
    }

    @Test("where nothing is enforced, nothing is checked")
    func open() async throws {
        let server = try TestServer()
        #expect(await check(#"{"find": "c"}"#, server) == nil)
        #expect(await check(#"{"shutdown": 1}"#, server) == nil)
    }

    @Test("login messages that make no sense are refused, and none ends the server")
    func sasl() async throws {
        let server = try TestServer()
        let cases: [(String, Int32)] = [
            (#"{"saslStart": 1}"#, 40414), (#"{"saslStart": 1, "mechanism": "SCRAM-SHA-256"}"#, 40414),
            (#"{"saslStart": 1, "mechanism": 1, "payload": ""}"#, 14),
            (#"{"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": 1}"#, 14),
            (#"{"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": "!"}"#, 9),
            (#"{"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": "", "x": 1}"#, 40415),
            (#"{"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": "", "options": {"x": 1}}"#, 40415),
            (#"{"saslStart": 1, "mechanism": "GSSAPI", "payload": ""}"#, 334),
            (#"{"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": ""}"#, 18),
            (#"{"saslContinue": 1, "conversationId": 1, "payload": ""}"#, 17),
            (#"{"saslContinue": 1, "payload": ""}"#, 40414), (#"{"saslContinue": 1, "conversationId": 1}"#, 40414),
            (#"{"authenticate": 1, "mechanism": "SCRAM-SHA-256", "user": "x"}"#, 18),
            (#"{"authenticate": 1, "mechanism": "MONGODB-X509"}"#, 18),
            (#"{"createUser": "", "pwd": "p", "roles": []}"#, 2), (#"{"createUser": 1, "pwd": "p", "roles": []}"#, 14),
            (#"{"createUser": "u", "pwd": "p"}"#, 40414), (#"{"createUser": "u", "roles": []}"#, 2),
            (#"{"createUser": "u", "pwd": "", "roles": []}"#, 2),
            (#"{"createUser": "u\u0000v", "pwd": "p", "roles": []}"#, 2),
            (#"{"createUser": "u", "pwd": "\u0007", "roles": []}"#, 2),
            (#"{"createUser": "u", "pwd": "p", "roles": [1]}"#, 2),
            (#"{"createUser": "u", "pwd": "p", "roles": [{"role": "a"}]}"#, 2),
            (#"{"createUser": "u", "pwd": "p", "roles": [], "mechanisms": []}"#, 2),
            (#"{"createUser": "u", "pwd": "p", "roles": [], "mechanisms": ["X"]}"#, 2),
            (#"{"createUser": "u", "pwd": "p", "roles": [], "digestPassword": false}"#, 2),
            (#"{"createUser": "u", "pwd": "p", "roles": [], "x": 1}"#, 40415),
            (#"{"createUser": "u", "pwd": "p", "roles": [], "authenticationRestrictions": [{"clientSource": []}]}"#, 2),
            (
                #"""
                {"createUser": "u", "pwd": "p", "roles": [],
                 "authenticationRestrictions": [{"clientSource": ["x"]}]}
                """#, 2
            ),
            (#"{"updateUser": "u"}"#, 2), (#"{"grantRolesToUser": "u", "roles": []}"#, 2),
            (#"{"grantRolesToUser": "u"}"#, 40414), (#"{"dropUser": "u", "x": 1}"#, 40415),
            (#"{"createRole": "read", "privileges": [], "roles": []}"#, 2),
            (#"{"createRole": "", "privileges": [], "roles": []}"#, 2),
            (#"{"createRole": "r", "roles": []}"#, 40414), (#"{"createRole": "r", "privileges": []}"#, 40414),
            (#"{"updateRole": "r"}"#, 2), (#"{"dropRole": "root"}"#, 34),
            (#"{"grantPrivilegesToRole": "r", "privileges": []}"#, 2),
            (#"{"usersInfo": 1, "showPrivileges": true}"#, 20), (#"{"usersInfo": true}"#, 2),
            (#"{"rolesInfo": 1, "showPrivileges": "asUserFragment"}"#, 238),
            (#"{"logout": 1, "x": 1}"#, 40415),
        ]
        for (command, code) in cases {
            #expect(try await server.failure(command)?.code.number == code, "\(command)")
        }
    }
}
