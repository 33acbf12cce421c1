package import BSON
package import CommandModel
package import Logging
package import NIOCore
package import Storage

/// What a command handler may use beside its request: the server and the connection that asked.
package struct CommandContext: Sendable {
    package let server: ServerState
    package let connection: ConnectionInfo
    package let logger: Logger
    /// Recognizes the statements of a numbered command that were done before.
    package var guarded: StatementGuard?

    package init(server: ServerState, connection: ConnectionInfo, logger: Logger) {
        self.server = server
        self.connection = connection
        self.logger = logger
    }

    package var engine: StorageEngine { server.engine }
}

/// Facts about one client connection.
package final class ConnectionInfo: Sendable {
    package let id: Int64
    /// `address:port` of the client.
    package let remoteAddress: String
    /// Shown by `connectionStatus`.
    package let uuid = randomUUID()

    package init(id: Int64, remoteAddress: String) {
        self.id = id
        self.remoteAddress = remoteAddress
    }
}

/// A reply in the making: an open document in the frame's buffer. The session adds `ok` and the cluster time.
package struct CommandReply: Sendable {
    package var builder: DocumentBuilder
    /// The command failed: what is in the reply is its error.
    package var isFailure = false
    /// How many bytes of the buffer stand before the document, for the frame's header.
    package static let headroom = 21

    package init() {
        var buffer = ByteBufferAllocator().buffer(capacity: 512)
        buffer.writeRepeatingByte(0, count: Self.headroom)
        builder = DocumentBuilder(into: buffer)
    }

    package init(builder: DocumentBuilder) {
        self.builder = builder
    }

    package init(_ build: (inout DocumentBuilder) -> Void) {
        self.init()
        build(&builder)
    }
}
