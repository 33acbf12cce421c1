internal import BSON

/// Asks a server whether it and its PostgreSQL are there.
package enum PingClient {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
        /// Of the server's error, if it is one.
        var code: Int32?
    }

    /// - Throws: ``Failure``, or what the network says.
    package static func ping(_ address: ServerAddress, timeoutSeconds: Int) async throws {
        do {
            // `dbStats` of a database without collections reads the catalog: it succeeds only when PostgreSQL answers.
            _ = try await CommandClient.run(command("dbStats"), at: address, timeoutSeconds: timeoutSeconds)
        } catch let refusal as Failure where refusal.code == 13 {
            // Who has no right to that may still ask what drivers go by, which is a second old at most.
            let reply = try await CommandClient.run(command("hello"), at: address, timeoutSeconds: timeoutSeconds)
            guard reply.withRaw({ $0["isWritablePrimary"]?.bool }) == true else {
                throw Failure(description: "the server has no PostgreSQL now")
            }
        }
    }

    private static func command(_ name: StaticString) -> Document {
        Document { builder in
            builder.append(name, int32: 1)
            builder.append("$db", string: "admin")
        }
    }
}
