package import Access
package import BSON
internal import NIOConcurrencyHelpers
package import NIOCore

/// Facts about one client connection.
package final class ConnectionInfo: Sendable {
    package let id: Int64
    /// `address:port` of the client.
    package let remoteAddress: String
    /// Both ends, where they have addresses.
    package let remote: NetworkAddress?
    package let local: NetworkAddress?
    /// Nil where nothing is encrypted.
    let security: ConnectionSecurity?
    let login = NIOLockedValueBox(Login())
    /// Shown by `connectionStatus`.
    package let uuid = randomUUID()
    private let metadata = NIOLockedValueBox<ClientMetadata?>(nil)
    private let activity = NIOLockedValueBox(Activity())

    private struct Activity {
        var operation: Operation?
        var hasLeft = false
        var onLeave: (@Sendable () -> Void)?
    }

    package init(
        id: Int64, remoteAddress: String, remote: NetworkAddress? = nil, local: NetworkAddress? = nil,
        security: ConnectionSecurity? = nil
    ) {
        self.id = id
        self.remoteAddress = remoteAddress
        self.remote = remote
        self.local = local
        self.security = security
    }

    /// What the client has said about itself.
    package var client: ClientMetadata? { metadata.withLockedValue { $0 } }

    /// Takes what a handshake says about the client. The first one counts.
    package func introduce(_ handshake: Document) {
        handshake.withRaw { raw in
            guard let client = raw["client"]?.document.flatMap(ClientMetadata.init) else { return }
            metadata.withLockedValue { metadata in
                if metadata == nil { metadata = client }
            }
        }
    }
}

/// What an encrypted connection knows of its client.
package struct ConnectionSecurity: Sendable {
    /// The client's certificate in DER, which TLS has checked.
    let certificate: @Sendable () async -> [UInt8]?

    package init(certificate: @escaping @Sendable () async -> [UInt8]?) { self.certificate = certificate }
}

// What the connection is doing.
extension ConnectionInfo {
    /// The command that is running.
    package var operation: Operation? { activity.withLockedValue { $0.operation } }

    func begin(_ operation: Operation) {
        let hasLeft = activity.withLockedValue { activity in
            activity.operation = operation
            return activity.hasLeft
        }
        // It was read before its client left.
        if hasLeft { operation.clientLeft() }
    }

    package func endOperation() {
        // The operation may be freed here, which is no business of the lock.
        let ended = activity.withLockedValue { activity in
            defer { activity.operation = nil }
            return activity.operation
        }
        _ = ended
    }

    /// The client has closed the connection, or it broke.
    package func clientLeft() {
        let (operation, onLeave) = activity.withLockedValue { activity in
            defer { activity.onLeave = nil }
            activity.hasLeft = true
            return (activity.operation, activity.onLeave)
        }
        operation?.clientLeft()
        onLeave?()
    }

    /// For what waits for something else than the client: called once, also when the client has left before.
    ///
    /// - Parameter call: nil when nothing waits any more.
    func whenLeft(_ call: (@Sendable () -> Void)?) {
        let hasLeft = activity.withLockedValue { activity in
            activity.onLeave = activity.hasLeft ? nil : call
            return activity.hasLeft
        }
        if hasLeft { call?() }
    }
}

/// The `client` of a handshake: driver, operating system, and the application's name.
///
/// Source: specifications/source/mongodb-handshake/handshake.md
package struct ClientMetadata: Sendable {
    /// What drivers keep to; more is not kept.
    static let bytesMax = 512

    package let document: Document
    package let applicationName: String?

    init?(_ raw: RawDocument) {
        guard raw.bytes.count <= Self.bytesMax else { return nil }
        document = Document(copying: raw)
        applicationName = raw["application"]?.document?["name"]?.string
    }
}
