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
    /// The documents as this command sees them.
    package var documents: DocumentStore
    /// The time of the snapshot that is read, for the client to name it again.
    package var snapshotTime: UInt64?
    /// How much `explain` tells.
    var verbosity = ExplainVerbosity.queryPlanner
    /// The command that this is the context of; nil where it is not known as one, as in tests.
    package private(set) var operation: Operation?

    package init(server: ServerState, connection: ConnectionInfo, logger: Logger) {
        self.server = server
        documents = DocumentStore(server.engine)
        self.connection = connection
        self.logger = logger
    }

    package func during(_ operation: Operation) -> CommandContext {
        var context = self
        context.operation = operation
        context.documents.deadline = context.deadline(of: operation.request)
        return context
    }

    func bypassingValidation(_ bypasses: Bool) -> CommandContext {
        var context = self
        context.documents.bypassesValidation = bypasses
        return context
    }

    package var engine: StorageEngine { server.engine }
}

/// A reply in the making: an open document in the frame's buffer. The session adds `ok` and the cluster time.
package struct CommandReply: Sendable {
    package var builder: DocumentBuilder
    /// The command failed: what is in the reply is its error.
    package var isFailure = false
    /// Statements of the command have failed.
    package var hasWriteErrors = false
    /// A fail point says that the client is to see its connection break instead of this reply.
    package var closesConnection = false
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
