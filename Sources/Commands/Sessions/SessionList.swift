internal import BSON
internal import CommandModel

/// The array of sessions that `endSessions`, `refreshSessions` and `killSessions` take as the value of their name.
enum SessionList {
    static func ids(in request: CommandRequest, of command: StaticString) throws(CommandError) -> Set<LogicalSessionID>
    {
        try request.withCommandValue(of: command) { argument throws(CommandError) in
            var ids: Set<LogicalSessionID> = []
            try argument.forEachDocument { element throws(CommandError) in
                ids.insert(try element.sessionID().owned(by: request.owner))
            }
            return ids
        }
    }
}

extension Argument {
    /// Calls `body` for each element of this required array. Elements must be documents; nulls are passed over.
    func forEachDocument(_ body: (Argument) throws(CommandError) -> Void) throws(CommandError) {
        try requireValue()
        for field in try array() {
            let element = Argument(command: command, key: field.key, value: field.value)
            if element.isOmitted { continue }
            guard element.value.document != nil else { throw element.wrongType(expected: "object") }
            try body(element)
        }
    }

    /// `{id: UUID}`; the hash of the user that may stand beside it tells nothing: a client has its own sessions only.
    func sessionID() throws(CommandError) -> LogicalSessionID {
        guard let document = value.document else { throw wrongType(expected: "object") }
        for field in document where !(field.key == "id" || field.key == "uid") {
            throw Argument(command: command, key: field.key, value: field.value).unknownField()
        }
        // A null id is a missing one.
        guard document["id"].map({ $0.type != .null }) ?? false else { throw .missingField("\(command).id") }
        return try LogicalSessionID(value)
    }
}
