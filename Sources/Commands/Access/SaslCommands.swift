internal import Access
internal import BSON
internal import CommandModel

// specifications/source/auth/auth.md

/// What `saslStart` takes.
struct SaslStartArguments: Sendable {
    private(set) var mechanism = ""
    private(set) var payload: [UInt8] = []
    private(set) var database: String
    private(set) var skipsEmptyExchange = false

    init(_ request: CommandRequest) throws(CommandError) {
        database = request.database
        var taken = Self.Taken()
        try request.forEachArgument(of: "saslStart") { argument throws(CommandError) in try taken.take(argument) }
        try finish(taken)
    }

    /// `speculativeAuthenticate` of a handshake, which names its database itself.
    init(speculative document: Document) throws(CommandError) {
        database = "admin"
        var taken = Self.Taken()
        try document.withRaw { raw throws(CommandError) in
            guard raw.firstElement?.key == RawKey("saslStart") else {
                throw CommandError(.badValue, "speculativeAuthenticate takes saslStart")
            }
            for field in raw {
                let argument = Argument(command: "speculativeAuthenticate", key: field.key, value: field.value)
                switch field.key {
                case "saslStart": break
                case "db": taken.database = try argument.string()
                default: try taken.take(argument)
                }
            }
        }
        try finish(taken)
    }

    private struct Taken {
        var mechanism: String?
        var payload: [UInt8]?
        var database: String?
        var skipsEmptyExchange = false

        mutating func take(_ argument: Argument) throws(CommandError) {
            switch argument.key {
            case "mechanism": mechanism = try argument.string()
            case "payload": payload = try argument.saslPayload()
            // Who logs in is authorized, here as everywhere.
            case "autoAuthorize": break
            case "options":
                try argument.forEachField(named: "saslStart.options") { option throws(CommandError) in
                    guard option.key == "skipEmptyExchange" else { throw option.unknownField() }
                    skipsEmptyExchange = try option.lenientBool()
                }
            default: throw argument.unknownField()
            }
        }
    }

    private mutating func finish(_ taken: Taken) throws(CommandError) {
        guard let mechanism = taken.mechanism else { throw .missingField("saslStart.mechanism") }
        guard let payload = taken.payload else { throw .missingField("saslStart.payload") }
        (self.mechanism, self.payload, skipsEmptyExchange) = (mechanism, payload, taken.skipsEmptyExchange)
        if let database = taken.database { self.database = database }
        guard !database.isEmpty, !database.utf8.contains(0), database.utf8.count <= PrincipalName.lengthMax else {
            throw CommandError(.badValue, "the database of the user is not a name of a database")
        }
    }
}

extension Argument {
    /// Binary data, or the same in base64.
    fileprivate func saslPayload() throws(CommandError) -> [UInt8] {
        if let (_, data) = value.binary { return Array(data) }
        guard let text = value.string else { throw wrongType(expected: "binData, string") }
        guard let bytes = Base64.decode(text) else { throw CommandError(.failedToParse, "the payload is not base64") }
        return bytes
    }
}

extension CommandTable {
    @Sendable static func saslStart(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let reply = try await Authenticator(context: context).start(SaslStartArguments(request))
        return CommandReply { reply.write(into: &$0) }
    }

    @Sendable static func saslContinue(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        var (number, payload) = (Int32?.none, [UInt8]?.none)
        try request.forEachArgument(of: "saslContinue") { argument throws(CommandError) in
            switch argument.key {
            case "conversationId": number = Int32(clamping: try argument.integer())
            case "payload": payload = try argument.saslPayload()
            default: throw argument.unknownField()
            }
        }
        guard let number else { throw .missingField("saslContinue.conversationId") }
        guard let payload else { throw .missingField("saslContinue.payload") }
        let reply = try await Authenticator(context: context).proceed(number, payload)
        return CommandReply { reply.write(into: &$0) }
    }

    /// Of the mechanisms that MongoDB has had here, that by client certificates is left.
    @Sendable static func authenticate(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        var (mechanism, user) = (String?.none, String?.none)
        try request.forEachArgument(of: "authenticate") { argument throws(CommandError) in
            switch argument.key {
            case "mechanism": mechanism = try argument.ifPresent(Argument.string)
            case "user": user = try argument.ifPresent(Argument.string)
            case "nonce", "key", "digestPassword": _ = try argument.ifPresent(Argument.string)
            default: throw argument.unknownField()
            }
        }
        let authenticator = Authenticator(context: context)
        let name = try await authenticator.logInByCertificate(
            user, in: request.database, mechanism: mechanism ?? "MONGODB-CR")
        return CommandReply { $0.write(certificateLogin: name) }
    }

    @Sendable static func logout(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try request.takesNoArguments("logout")
        if let user = context.connection.logOut() {
            context.server.audit.note(.loggedOut, user.name.forLog, on: context.connection)
        }
        return CommandReply()
    }
}

extension DocumentBuilder {
    mutating func write(certificateLogin name: UserName) {
        append("dbname", string: name.database)
        append("user", string: name.name)
    }
}
