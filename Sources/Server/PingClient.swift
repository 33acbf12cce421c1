internal import BSON

/// Asks a server whether it and its PostgreSQL are there.
package enum PingClient {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// - Throws: ``Failure``, or what the network says.
    package static func ping(host: String, port: Int, timeoutSeconds: Int) async throws {
        let body = Document { builder in
            // `dbStats` of a database without collections reads the catalog: it succeeds only when PostgreSQL answers.
            builder.append("dbStats", int32: 1)
            builder.append("$db", string: "admin")
        }
        _ = try await CommandClient.run(body, host: host, port: port, timeoutSeconds: timeoutSeconds)
    }
}
