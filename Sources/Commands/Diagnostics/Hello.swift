package import BSON
package import CommandModel

// https://www.mongodb.com/docs/manual/reference/command/hello/
// specifications/source/mongodb-handshake/handshake.md

extension CommandTable {
    @Sendable static func hello(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try await Hello.reply(to: request, context, isLegacy: false).reply
    }

    /// The old spelling; the answer says `ismaster` where the new one says `isWritablePrimary`.
    @Sendable static func isMaster(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try await Hello.reply(to: request, context, isLegacy: true).reply
    }
}

/// The handshake and the monitoring of drivers: this server is the primary of a replica set of one.
package enum Hello {
    /// The one election that there has been.
    package static let term: Int64 = 1
    static let setVersion: Int32 = 1
    /// Drivers take the primary with the highest pair of election id and set version. The id is the same in each run,
    /// so that none of several servers on one PostgreSQL looks stale.
    static let electionID = ObjectID(high: 0x7fff_ffff_0000_0000, low: 1)
    /// A client that asks to wait longer is answered after this time: nothing is lost, it asks again.
    static let awaitMillisecondsMax: Int64 = 60 * 60 * 1_000

    package static let compressors = ["snappy", "zlib", "zstd"]

    /// Answers, for an awaitable command after the wait.
    ///
    /// - Parameter lastSent: the counter of the reply before this one in an exhaust stream, which the next one waits
    ///   to see surpassed; nil for the first reply, for which the client's `topologyVersion` counts.
    /// - Returns: the reply and the counter that it tells.
    package static func reply(
        to request: CommandRequest, _ context: CommandContext, isLegacy: Bool, after lastSent: Int64? = nil
    ) async throws(CommandError) -> (reply: CommandReply, counter: Int64) {
        context.connection.introduce(request.body)
        let arguments = try HelloArguments(request)
        if let awaited = arguments.awaited, let counter = try awaited.counter(in: context.server, after: lastSent) {
            let limit = min(awaited.milliseconds, awaitMillisecondsMax)
            await context.server.topology.waitForChange(
                from: counter, atMost: .milliseconds(limit), for: context.connection)
        }
        var reply = CommandReply()
        let counter = write(into: &reply.builder, arguments, context, isLegacy: isLegacy)
        await writeLogin(into: &reply.builder, arguments, context)
        return (reply, counter)
    }

    /// Writes the answer as it is now, without a wait.
    package static func write(
        into builder: inout DocumentBuilder, _ request: CommandRequest, _ context: CommandContext, isLegacy: Bool
    ) throws(CommandError) {
        _ = try write(into: &builder, HelloArguments(request), context, isLegacy: isLegacy)
    }

    /// `maxAwaitTimeMS` of an awaitable command; nil for one that is to be answered at once.
    package static func awaitMilliseconds(_ request: CommandRequest) throws(CommandError) -> Int64? {
        try HelloArguments(request).awaited?.milliseconds
    }

    /// What of the client's `compression` this server knows, in the client's order. The connection may use these and
    /// no others.
    package static func negotiatedCompressors(_ request: CommandRequest) -> [String] {
        (try? HelloArguments(request).compressors) ?? []
    }

    private static func write(
        into builder: inout DocumentBuilder, _ arguments: HelloArguments, _ context: CommandContext, isLegacy: Bool
    ) -> Int64 {
        let state = context.server.topology.state
        if arguments.helloOk { builder.append("helloOk", bool: true) }
        writeMember(into: &builder, context.server, state, isLegacy: isLegacy)
        writeLimits(into: &builder, context)
        if !arguments.compressors.isEmpty {
            builder.append("compression", strings: arguments.compressors)
        }
        return state.counter
    }

    private static func writeLogin(
        into builder: inout DocumentBuilder, _ arguments: HelloArguments, _ context: CommandContext
    ) async {
        let authenticator = Authenticator(context: context)
        if let user = arguments.mechanismsOf {
            builder.append("saslSupportedMechs", strings: await authenticator.mechanisms(of: user))
        }
        if let document = arguments.speculativeAuthenticate {
            await authenticator.speculate(document, into: &builder)
        }
    }

    /// The fields about the replica set, which `serverStatus.repl` shows too.
    static func writeMember(
        into builder: inout DocumentBuilder, _ server: ServerState, _ state: Topology.State, isLegacy: Bool
    ) {
        let host = server.identity.advertisedHost
        builder.writeTopologyVersion(processID: server.identity.runID, counter: state.counter)
        builder.append("hosts", strings: [host])
        builder.append("setName", string: server.identity.setName)
        builder.append("setVersion", int32: setVersion)
        builder.append(isLegacy ? "ismaster" : "isWritablePrimary", bool: state.isWritable)
        // Without PostgreSQL this is neither primary nor secondary, so that drivers send nothing and wait.
        builder.append("secondary", bool: false)
        if state.isWritable { builder.append("primary", string: host) }
        builder.append("me", string: host)
        if state.isWritable { builder.append("electionId", objectID: electionID) }
        writeLastWrite(into: &builder, server.clock)
    }

    private static func writeLastWrite(into builder: inout DocumentBuilder, _ clock: ClusterClock) {
        let time = clock.current()
        builder.beginDocument("lastWrite")
        builder.append("opTime", opTime: time)
        builder.append("lastWriteDate", date: date(of: time))
        builder.append("majorityOpTime", opTime: time)
        builder.append("majorityWriteDate", date: date(of: time))
        builder.end()
    }

    private static func writeLimits(into builder: inout DocumentBuilder, _ context: CommandContext) {
        builder.append("maxBsonObjectSize", int32: Int32(ServerLimits.documentBytesMax))
        builder.append("maxMessageSizeBytes", int32: Int32(ServerLimits.messageBytesMax))
        builder.append("maxWriteBatchSize", int32: Int32(ServerLimits.writeBatchMax))
        builder.append("localTime", date: ClusterClock.wallMilliseconds())
        builder.append("logicalSessionTimeoutMinutes", int32: ServerLimits.sessionTimeoutMinutes)
        builder.append("connectionId", narrowest: context.connection.id)
        builder.append("minWireVersion", int32: ServerLimits.minWireVersion)
        builder.append("maxWireVersion", int32: ServerLimits.maxWireVersion)
        builder.append("readOnly", bool: false)
    }

    /// Milliseconds since 1970 UTC of a cluster time, to the second.
    static func date(of clusterTime: UInt64) -> Int64 { Int64(clusterTime >> 32) * 1_000 }
}

extension DocumentBuilder {
    /// A place in the log of writes: the time and the election term.
    mutating func append(_ key: StaticString, opTime time: UInt64) {
        beginDocument(key)
        append("ts", timestamp: time)
        append("t", int64: Hello.term)
        end()
    }

    package mutating func writeTopologyVersion(_ server: ServerState) {
        writeTopologyVersion(processID: server.identity.runID, counter: server.topology.state.counter)
    }

    fileprivate mutating func writeTopologyVersion(processID: ObjectID, counter: Int64) {
        beginDocument("topologyVersion")
        append("processId", objectID: processID)
        append("counter", int64: counter)
        end()
    }
}
