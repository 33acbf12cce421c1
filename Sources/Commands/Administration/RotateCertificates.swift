internal import BSON
internal import CommandModel
internal import Logging
internal import NIOConcurrencyHelpers

// https://www.mongodb.com/docs/manual/reference/command/rotateCertificates/

/// How certificates are read again; nil where connections are not encrypted.
package final class CertificateRotation: Sendable {
    /// - Returns: why the new ones cannot be used.
    package typealias Rotate = @Sendable () -> String?

    private let box = NIOLockedValueBox<Rotate?>(nil)

    package init() {}

    package var value: Rotate? {
        get { box.withLockedValue { $0 } }
        set { box.withLockedValue { $0 = newValue } }
    }
}

extension CommandTable {
    /// What SIGHUP does: connections that are open go on with the old certificates. Without TLS there is nothing to
    /// read.
    @Sendable static func rotateCertificates(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        var message: String?
        try request.forEachArgument(of: "rotateCertificates") { argument throws(CommandError) in
            guard argument.key == "message" else { throw argument.unknownField() }
            message = try argument.ifPresent(Argument.string)
        }
        context.logger.notice("asked to read certificates again", metadata: ["message": "\(message ?? "")"])
        if let problem = context.server.certificates.value?() {
            throw CommandError(.operationFailed, "the present certificates stay: \(problem)")
        }
        return CommandReply()
    }
}
