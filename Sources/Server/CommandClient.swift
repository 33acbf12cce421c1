internal import BSON
internal import NIOCore
internal import NIOPosix
internal import WireProtocol

/// Sends one command to a server.
enum CommandClient {
    /// - Throws: ``PingClient/Failure`` with what the server says, or what the network says.
    static func run(_ body: Document, host: String, port: Int, timeoutSeconds: Int) async throws -> Document {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(Int64(timeoutSeconds)))
            .connect(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
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
            try await outbound.write(RequestEncoder.msg(requestID: 1, body: body))
            for try await message in inbound {
                let reply = try WireProtocol.Reply(message, compression: CompressionContext()).document
                let (ok, text) = reply.withRaw { ($0["ok"]?.number?.asDouble, $0["errmsg"]?.string) }
                guard ok == 1 else { throw PingClient.Failure(description: text ?? "the server refused") }
                return reply
            }
            throw PingClient.Failure(description: "no answer within \(timeoutSeconds) s")
        }
    }
}
