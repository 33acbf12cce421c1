internal import Access
internal import BSON
internal import NIOCore
internal import NIOPosix
internal import WireProtocol

/// Where a server is, and who asks it.
package struct ServerAddress: Sendable {
    package let host: String
    package let port: Int
    /// Nil for who does not log in.
    package var user: String?
    package var password = ""
    /// Of the user.
    package var authenticationDatabase = "admin"
    /// Nil for a server that does not encrypt.
    package var tls: ClientTLS?

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }
}

/// Sends one command to a server, after a login if one is asked for.
enum CommandClient {
    /// - Throws: ``PingClient/Failure`` with what the server says, or what the network says.
    static func run(_ body: Document, at address: ServerAddress, timeoutSeconds: Int) async throws -> Document {
        let context = try address.tls?.context()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(Int64(timeoutSeconds)))
            .connect(host: address.host, port: address.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context { try channel.pipeline.syncOperations.addHandler(address.handler(context)) }
                    try channel.pipeline.syncOperations.addHandler(
                        ByteToMessageHandler(FrameDecoder(role: .client)))
                    return try NIOAsyncChannel<InboundMessage, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            let timer = channel.channel.eventLoop.scheduleTask(in: .seconds(Int64(timeoutSeconds))) {
                channel.channel.close(promise: nil)
            }
            defer { timer.cancel() }
            var dialogue = Dialogue(body, address)
            try await outbound.write(RequestEncoder.msg(requestID: 1, body: dialogue.first))
            for try await message in inbound {
                let reply = try WireProtocol.Reply(message, compression: CompressionContext()).document
                try check(reply)
                guard let next = try dialogue.next(after: reply) else { return reply }
                try await outbound.write(RequestEncoder.msg(requestID: 1, body: next))
            }
            throw PingClient.Failure(description: "no answer within \(timeoutSeconds) s")
        }
    }

    private static func check(_ reply: Document) throws {
        try reply.withRaw { raw in
            guard raw["ok"]?.number?.asDouble != 1 else { return }
            throw PingClient.Failure(
                description: raw["errmsg"]?.string ?? "the server refused", code: raw["code"]?.int32)
        }
    }
}

/// What a client says, reply by reply: a login if it has a user, by SCRAM-SHA-256 or, where the server does not offer
/// that, SCRAM-SHA-1; then its command.
private struct Dialogue {
    private enum State {
        case asksForMechanisms(user: String)
        case awaitsChallenge(ScramClient)
        case awaitsSignature(ScramClient)
        case awaitsReply
    }

    private let command: Document
    private let address: ServerAddress
    private var state = State.awaitsReply

    init(_ command: Document, _ address: ServerAddress) {
        self.command = command
        self.address = address
        if let user = address.user { state = .asksForMechanisms(user: user) }
    }

    var first: Document {
        guard case .asksForMechanisms(let user) = state else { return command }
        return request { builder in
            builder.append("hello", int32: 1)
            builder.append("saslSupportedMechs", string: "\(address.authenticationDatabase).\(user)")
        }
    }

    /// - Returns: nil when the reply was that of the command.
    mutating func next(after reply: Document) throws -> Document? {
        switch state {
        case .asksForMechanisms(let user): return try start(user, reply)
        case .awaitsChallenge(var client):
            let (number, payload) = reply.withRaw { ($0["conversationId"]?.int32 ?? 0, $0.saslPayload) }
            let proof = try client.finalMessage(answering: payload)
            state = .awaitsSignature(client)
            return request { builder in
                builder.append("saslContinue", int32: 1)
                builder.append("conversationId", int32: number)
                builder.append("payload", binary: proof, subtype: 0)
            }
        case .awaitsSignature(let client):
            let (isDone, signature) = reply.withRaw { ($0["done"]?.bool ?? false, $0.saslPayload) }
            guard isDone, client.accepts(signature) else {
                throw PingClient.Failure(description: "the server does not know the password that it asks for")
            }
            state = .awaitsReply
            return command
        case .awaitsReply: return nil
        }
    }

    private mutating func start(_ user: String, _ reply: Document) throws -> Document {
        let offersSHA256 = reply.withRaw { raw in
            raw["saslSupportedMechs"]?.array?.contains { $0.value.string == ScramMechanism.sha256.rawValue } ?? false
        }
        let mechanism = offersSHA256 ? ScramMechanism.sha256 : .sha1
        let password = try PreparedPassword(address.password, of: user, for: mechanism)
        let client = ScramClient(user: user, password: password, mechanism: mechanism)
        state = .awaitsChallenge(client)
        return request { builder in
            builder.append("saslStart", int32: 1)
            builder.append("mechanism", string: mechanism.rawValue)
            builder.append("payload", binary: client.firstMessage, subtype: 0)
            builder.beginDocument("options")
            builder.append("skipEmptyExchange", bool: true)
            builder.end()
        }
    }

    private func request(_ build: (inout DocumentBuilder) -> Void) -> Document {
        Document { builder in
            build(&builder)
            builder.append("$db", string: address.authenticationDatabase)
        }
    }
}

extension RawDocument {
    fileprivate var saslPayload: [UInt8] { self["payload"]?.binary.map { Array($0.data) } ?? [] }
}
