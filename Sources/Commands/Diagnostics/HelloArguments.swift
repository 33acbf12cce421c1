internal import Access
internal import BSON
internal import CommandModel

/// What `hello` is asked. Unknown fields are ignored, as MongoDB does: a newer driver must be able to shake hands.
struct HelloArguments {
    /// The client knows a version of the topology and wants to hear of a newer one.
    struct Awaited {
        let processID: ObjectID
        let counter: Int64
        let milliseconds: Int64
    }

    private(set) var awaited: Awaited?
    private(set) var helloOk = false
    /// Whose mechanisms it is asked for.
    private(set) var mechanismsOf: UserName?
    private(set) var speculativeAuthenticate: Document?
    /// Those of the client that this server knows, in the client's order.
    private(set) var compressors: [String] = []

    init(_ request: CommandRequest) throws(CommandError) {
        var version: (processID: ObjectID, counter: Int64)?
        var milliseconds: Int64?
        var (helloOk, compressors) = (false, [String]())
        var (mechanismsOf, speculativeAuthenticate) = (UserName?.none, Document?.none)
        try request.forEachArgument(of: "hello") { argument throws(CommandError) in
            switch argument.key {
            case "topologyVersion": version = try argument.topologyVersion()
            case "maxAwaitTimeMS": milliseconds = try argument.nonNegativeInteger()
            case "helloOk": helloOk = try argument.isOmitted ? false : argument.lenientBool()
            case "compression": compressors = try argument.isOmitted ? [] : argument.knownCompressors()
            case "saslSupportedMechs": mechanismsOf = try argument.userName()
            case "speculativeAuthenticate": speculativeAuthenticate = try argument.ifPresent(Argument.document)
            default: break
            }
        }
        (self.helloOk, self.compressors) = (helloOk, compressors)
        (self.mechanismsOf, self.speculativeAuthenticate) = (mechanismsOf, speculativeAuthenticate)
        awaited = try Self.awaited(version, milliseconds)
    }

    private static func awaited(
        _ version: (processID: ObjectID, counter: Int64)?, _ milliseconds: Int64?
    ) throws(CommandError) -> Awaited? {
        switch (version, milliseconds) {
        case (nil, nil): return nil
        case (let version?, let milliseconds?):
            return Awaited(processID: version.processID, counter: version.counter, milliseconds: milliseconds)
        default:
            throw CommandError(
                incompletePair, "hello takes 'topologyVersion' and 'maxAwaitTimeMS' together or neither of them")
        }
    }

    private static let incompletePair = ErrorCode(31368)
}

extension HelloArguments.Awaited {
    /// The counter whose end is to be waited for; nil when the client is behind and is answered at once.
    func counter(in server: ServerState, after lastSent: Int64?) throws(CommandError) -> Int64? {
        let current = server.topology.state.counter
        if let lastSent { return lastSent == current ? current : nil }
        // Another run of the process: whatever the client knows is about that one.
        guard processID == server.identity.runID else { return nil }
        guard counter <= current else {
            throw CommandError(
                ErrorCode(31382),
                "the counter of 'topologyVersion', \(counter), is ahead of this server's, which is \(current)")
        }
        return counter == current ? current : nil
    }
}

extension Argument {
    fileprivate func topologyVersion() throws(CommandError) -> (processID: ObjectID, counter: Int64) {
        guard let document = value.document else { throw wrongType(expected: "object") }
        var processID: ObjectID?
        var counter: Int64?
        for field in document {
            let argument = Argument(command: "hello.topologyVersion", key: field.key, value: field.value)
            switch field.key {
            case "processId":
                guard let id = field.value.objectID else { throw argument.wrongType(expected: "objectId") }
                processID = id
            case "counter":
                guard let number = field.value.int64 else { throw argument.wrongType(expected: "long") }
                counter = number
            default: throw argument.unknownField()
            }
        }
        guard let processID else { throw .missingField("hello.topologyVersion.processId") }
        guard let counter else { throw .missingField("hello.topologyVersion.counter") }
        guard counter >= 0 else {
            throw CommandError(ErrorCode(31372), "the counter of 'topologyVersion' must not be negative")
        }
        return (processID, counter)
    }

    fileprivate func knownCompressors() throws(CommandError) -> [String] {
        var known: [String] = []
        for element in try array() {
            guard let name = element.value.string else {
                throw Argument(command: "hello.compression", key: element.key, value: element.value)
                    .wrongType(expected: "string")
            }
            if Hello.compressors.contains(name), !known.contains(name) { known.append(name) }
        }
        return known
    }

    /// `database.user`, or the two as a document.
    fileprivate func userName() throws(CommandError) -> UserName {
        if let document = value.document {
            guard let user = document["user"]?.string, let database = document["db"]?.string else {
                throw CommandError(.badValue, "'saslSupportedMechs' as an object needs the strings 'user' and 'db'")
            }
            return UserName(user, in: database)
        }
        guard let name = value.string else { throw wrongType(expected: "string") }
        guard let dot = name.utf8.firstIndex(of: UInt8(ascii: ".")) else {
            throw CommandError(.badValue, "'saslSupportedMechs' must be of the form <database>.<user>, not '\(name)'")
        }
        return UserName(String(name.utf8[name.utf8.index(after: dot)...]) ?? "", in: String(name.utf8[..<dot]) ?? "")
    }
}
