internal import BSON

/// Asks a server which SQL it would send for a command.
package enum SQLClient {
    /// - Parameter command: in extended JSON.
    /// - Returns: lines for people to read.
    /// - Throws: ``PingClient/Failure``, or what the network says.
    package static func show(
        _ command: String, database: String, at address: ServerAddress, timeoutSeconds: Int
    ) async throws -> String {
        let inner: Document
        do throws(ExtendedJSONError) { inner = try Document(extendedJSON: command) } catch {
            throw PingClient.Failure(description: "the command is not extended JSON: \(error)")
        }
        let body = Document { builder in
            builder.append("martletSQL", .document(inner))
            builder.append("$db", string: database)
        }
        let reply = try await CommandClient.run(body, at: address, timeoutSeconds: timeoutSeconds)
        return reply.withRaw { lines($0) }
    }

    private static func lines(_ reply: RawDocument) -> String {
        var lines: [String] = []
        for name in ["pool", "isolation", "note"] as [StaticString] {
            if let text = reply[RawKey(name)]?.string { lines.append("\(name): \(text)") }
        }
        if let array = reply["statements"]?.array {
            for statement in array {
                guard let statement = statement.value.document else { continue }
                lines.append("\n" + (statement["sql"]?.string ?? ""))
                guard let parameters = statement["parameters"]?.array else { continue }
                for (index, parameter) in parameters.enumerated() {
                    lines.append("  $\(index + 1) = \(parameter.value.string ?? "")")
                }
            }
        }
        return lines.joined(separator: "\n")
    }
}
