internal import BSON

/// Makes users on a server.
package enum UserClient {
    package struct Role: Sendable {
        let name: String
        let database: String

        package init(name: String, database: String) {
            self.name = name
            self.database = database
        }
    }

    /// - Throws: ``PingClient/Failure``, or what the network says.
    package static func create(
        _ name: String, password: String, roles: [Role], in database: String, at address: ServerAddress,
        timeoutSeconds: Int
    ) async throws {
        let body = Document { builder in
            builder.append("createUser", string: name)
            builder.append("pwd", string: password)
            builder.beginArray("roles")
            for (index, role) in roles.enumerated() {
                builder.beginDocument(index: index)
                builder.append("role", string: role.name)
                builder.append("db", string: role.database)
                builder.end()
            }
            builder.end()
            builder.append("$db", string: database)
        }
        _ = try await CommandClient.run(body, at: address, timeoutSeconds: timeoutSeconds)
    }
}
