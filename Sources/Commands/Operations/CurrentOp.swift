internal import Access
internal import BSON
internal import CommandModel
internal import Query

// https://www.mongodb.com/docs/manual/reference/command/currentOp/

extension CommandTable {
    static let operationCommands: [Entry] = [
        entry("currentOp", "what is running now", adminOnly: true, currentOp),
        entry("killOp", "stops a running operation", adminOnly: true, killOp),
    ]

    /// What the connections are doing; with `$all` also those that do nothing. Fields without a dollar sign are a
    /// filter over what is shown.
    @Sendable static func currentOp(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        var (showsIdle, showsOwnOnly) = (false, false)
        var filter = DocumentBuilder()
        try request.forEachArgument(of: "currentOp") { argument throws(CommandError) in
            switch argument.key {
            case "$all": showsIdle = argument.value.isOn
            case "$ownOps": showsOwnOnly = argument.value.isOn
            // Long commands are always cut.
            case "$truncateOps": break
            default: filter.append(argument.key, argument.value)
            }
        }
        guard showsOwnOnly || context.access.allows(.inprog, on: .cluster) else {
            throw CommandError(
                .unauthorized, "not authorized on admin to execute command \(request.shownText)")
        }
        let connections = context.server.operations.all.filter { connection in
            !showsOwnOnly || connection.owner(context) == request.owner
        }
        return try report(connections, context, showsIdle: showsIdle, matching: Filter(compiling: filter.finish()))
    }

    private static func report(
        _ connections: [ConnectionInfo], _ context: CommandContext, showsIdle: Bool, matching filter: Filter
    ) throws(CommandError) -> CommandReply {
        var reply = CommandReply()
        reply.builder.beginArray("inprog")
        var count = 0
        for connection in connections {
            let operation = connection.operation
            guard showsIdle || operation != nil else { continue }
            let document = OperationReport(connection, host: context.server.identity.advertisedHost)
                .document(operation)
            guard reply.builder.count + document.count <= ServerLimits.documentBytesMax else { break }
            guard try filter.matches(document) else { continue }
            reply.builder.append(index: count, .document(document))
            count += 1
        }
        reply.builder.end()
        return reply
    }
}
