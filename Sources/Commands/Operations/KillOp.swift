internal import Access
internal import BSON
internal import CommandModel
internal import Logging

// https://www.mongodb.com/docs/manual/reference/command/killOp/

extension CommandTable {
    /// Asks an operation to stop; the answer says nothing about whether there was one, as MongoDB's.
    @Sendable static func killOp(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        var id: Int32?
        // Fields that it does not know do not matter to it.
        try request.forEachArgument(of: "killOp") { argument throws(CommandError) in
            if argument.key == "op" { id = try argument.operationID() }
        }
        guard let id else { throw CommandError(.noSuchKey, "Did not provide \"op\" field") }
        // One's own may always be killed.
        let isOwn = context.server.operations.all.contains { connection in
            connection.operation?.id == id && connection.owner(context) == request.owner
        }
        guard isOwn || context.access.allows(.killop, on: .cluster) else {
            throw CommandError(.unauthorized, "not authorized on admin to execute command \(request.shownText)")
        }
        context.server.operations.kill(id)
        context.logger.notice("operation killed by a client", metadata: ["opid": "\(id)"])
        return CommandReply { $0.append("info", string: "attempting to kill op") }
    }
}

extension Argument {
    fileprivate func operationID() throws(CommandError) -> Int32 {
        guard let number = value.number else { throw wrongType(expected: "long, int, decimal, double") }
        guard let integer = number.asInt64Exact else {
            throw CommandError(.badValue, "Expected field \"op\" to have a value exactly representable as a long")
        }
        guard let id = Int32(exactly: integer) else {
            throw CommandError(ErrorCode(26823), "invalid op : \(integer). Op ID cannot be represented with 32 bits")
        }
        return id
    }
}
