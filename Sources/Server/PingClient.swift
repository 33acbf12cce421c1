internal import BSON
internal import NIOCore
internal import NIOPosix
internal import WireProtocol

/// Asks a server whether it and its PostgreSQL are there.
package enum PingClient {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// - Throws: ``Failure``, or what the network says.
    package static func ping(host: String, port: Int, timeoutSeconds: Int) async throws {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(Int64(timeoutSeconds)))
            .connect(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        ByteToMessageHandler(FrameDecoder(role: .client)))
                    return try NIOAsyncChannel<InboundMessage, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        let body = Document { builder in
            // `dbStats` of a database without collections reads the catalog: it succeeds only when PostgreSQL answers.
            builder.append("dbStats", int32: 1)
            builder.append("$db", string: "admin")
        }
        try await channel.executeThenClose { inbound, outbound in
            let timer = channel.channel.eventLoop.scheduleTask(in: .seconds(Int64(timeoutSeconds))) {
                channel.channel.close(promise: nil)
            }
            defer { timer.cancel() }
            try await outbound.write(RequestEncoder.msg(requestID: 1, body: body))
            for try await message in inbound {
                let reply = try WireProtocol.Reply(message, compression: CompressionContext())
                let (ok, text) = reply.document.withRaw { ($0["ok"]?.number?.asDouble, $0["errmsg"]?.string) }
                guard ok == 1 else { throw Failure(description: text ?? "the server refused") }
                return
            }
            throw Failure(description: "no answer within \(timeoutSeconds) s")
        }
    }
}
