internal import Access
internal import BSON
internal import CommandModel
internal import Logging
internal import Metrics
internal import Storage

/// What a login sends back.
struct SaslReply: Sendable {
    let conversation: Int32
    let payload: [UInt8]
    let isDone: Bool

    func write(into builder: inout DocumentBuilder) {
        builder.append("conversationId", int32: conversation)
        builder.append("done", bool: isDone)
        builder.append("payload", binary: payload, subtype: 0)
    }
}

/// Logs clients in: the shell around ``ScramServer``, with users from the catalog.
///
/// What went wrong is told to the log. The client hears the same whatever it was, after the same steps: who has no
/// password must not learn which users there are.
struct Authenticator {
    let context: CommandContext

    private var access: AccessDirectory { context.server.access }
    private var connection: ConnectionInfo { context.connection }

    /// - Parameter isSpeculative: the client does not know yet which mechanism the user has. It must not be drawn into
    ///   one that the user does not have.
    func start(
        _ arguments: SaslStartArguments, isSpeculative: Bool = false
    ) async throws(CommandError) -> SaslReply {
        try checkRate()
        if arguments.mechanism == Self.plain, !isSpeculative { return try await logInPlainly(arguments) }
        guard let mechanism = ScramMechanism(rawValue: arguments.mechanism) else {
            throw CommandError(
                .mechanismUnavailable,
                "Received authentication for mechanism \(arguments.mechanism.forLog) which is unknown or not enabled")
        }
        access.logins.received(mechanism.rawValue, isSpeculative: isSpeculative)
        let first: ScramClientFirst
        do throws(ScramFailure) { first = try ScramClientFirst(arguments.payload) } catch {
            throw refuse(nil, mechanism.rawValue, error.reason)
        }
        let name = UserName(first.user, in: arguments.database)
        try checkOnlyUser(name)
        let (credentials, userID) = try await mapped { () async throws(StorageError) in
            try await self.credentials(of: name, mechanism, isSpeculative: isSpeculative)
        }
        let server = ScramServer(
            first, credentials, isKnownUser: userID != nil, skipsEmptyExchange: arguments.skipsEmptyExchange)
        let number = connection.begin { number in
            SaslConversation(
                number: number, user: name, userID: userID, mechanism: mechanism, isSpeculative: isSpeculative,
                server: server)
        }
        return SaslReply(conversation: number, payload: server.challenge, isDone: false)
    }

    func proceed(_ number: Int32, _ payload: [UInt8]) async throws(CommandError) -> SaslReply {
        guard var conversation = connection.takeConversation() else {
            throw CommandError(.protocolError, "No SASL session state found")
        }
        guard conversation.number == number else {
            throw CommandError(.protocolError, "sasl: Mismatched conversation id")
        }
        let answer: ScramServer.Answer
        do throws(ScramFailure) { answer = try conversation.server.receive(payload) } catch {
            let reason = conversation.userID == nil ? "no such user, or not by this mechanism" : error.reason
            throw refuse(conversation.user, conversation.mechanism.rawValue, reason)
        }
        if answer.isDone {
            try await logIn(
                conversation.user, id: conversation.userID, mechanism: conversation.mechanism.rawValue,
                isSpeculative: conversation.isSpeculative)
        } else {
            connection.resume(conversation)
        }
        return SaslReply(conversation: number, payload: answer.payload, isDone: answer.isDone)
    }

    /// The keys to check a proof by; made up, and without an id, for who does not exist.
    private func credentials(
        of name: UserName, _ mechanism: ScramMechanism, isSpeculative: Bool
    ) async throws(StorageError) -> (ScramCredentials, userID: [UInt8]?) {
        let secret = try await access.secret()
        let record = try await access.store.user(name)
        if isSpeculative, let record, !record.mechanisms.contains(mechanism.rawValue) {
            throw .command(CommandError(.authenticationFailed, "Authentication failed."))
        }
        let pretended = ScramCredentials.pretended(
            for: name.name, in: name.database, mechanism: mechanism, secret: secret,
            iterations: access.iterations(mechanism))
        guard let record, let credentials = record.credentials.first(where: { $0.mechanism == mechanism }) else {
            return (pretended, nil)
        }
        return (credentials, record.id)
    }

    /// The client has proven who it is.
    func logIn(
        _ name: UserName, id: [UInt8]?, mechanism: String, isSpeculative: Bool = false
    ) async throws(CommandError) {
        let found = try await mapped { () async throws(StorageError) in
            try await access.user(name, id: id, mechanism: mechanism)
        }
        guard let (record, user, roles) = found else {
            throw refuse(name, mechanism, "the user was dropped during the login")
        }
        for restrictions in [record.restrictions] + roles.restrictions(of: record.roles) {
            guard restrictions.allow(client: connection.remote, server: connection.local) else {
                throw refuse(name, mechanism, "the user may not log in from this address")
            }
        }
        connection.logIn(user)
        context.server.audit.note(.authenticated, name.forLog, on: connection, ["mechanism": "\(mechanism)"])
        access.logins.succeeded(mechanism, isSpeculative: isSpeculative)
    }

    /// One connection is one user's: what it has begun (cursors, transactions) must not pass to another.
    func checkOnlyUser(_ name: UserName) throws(CommandError) {
        guard let present = connection.user, present.name != name else { return }
        throw CommandError(
            .unauthorized, "this connection is already authenticated as another user: log out first")
    }

    func checkRate() throws(CommandError) {
        guard access.failedLogins.mayTry(from: connection.remote) else {
            access.logins.throttled.count()
            context.logger.debug(
                "login refused: too many have failed", metadata: ["remote": "\(connection.remoteAddress)"])
            throw CommandError(
                .authenticationFailed, "Too many logins from this address have failed: try again in some seconds")
        }
    }

    /// - Returns: what the client hears.
    func refuse(_ user: UserName?, _ mechanism: String, _ reason: String) -> CommandError {
        access.failedLogins.failed(from: connection.remote)
        context.server.audit.note(
            .authenticationFailed, user?.forLog ?? "unknown", on: connection,
            ["mechanism": "\(mechanism)", "reason": "\(reason)"])
        access.logins.failed(mechanism)
        return CommandError(.authenticationFailed, "Authentication failed.")
    }

    private func mapped<R: Sendable>(
        _ body: () async throws(StorageError) -> R
    ) async throws(CommandError) -> R {
        try await context.engine.mapped(body)
    }
}

// Logins over encrypted connections only.
extension Authenticator {
    static let plain = "PLAIN"
    static let x509 = "MONGODB-X509"

    /// The password itself. It is compared by the keys that are kept, of whichever mechanism.
    private func logInPlainly(_ arguments: SaslStartArguments) async throws(CommandError) -> SaslReply {
        guard connection.security != nil else {
            throw CommandError(.mechanismUnavailable, "PLAIN is for encrypted connections only")
        }
        access.logins.received(Self.plain, isSpeculative: false)
        let login: PlainLogin
        do throws(ScramFailure) { login = try PlainLogin(arguments.payload) } catch {
            throw refuse(nil, Self.plain, error.reason)
        }
        let name = UserName(login.user, in: arguments.database)
        try checkOnlyUser(name)
        let mechanism = (try? await access.store.user(name))?.credentials.map(\.mechanism).last ?? .sha256
        let (credentials, userID) = try await mapped { () async throws(StorageError) in
            try await self.credentials(of: name, mechanism, isSpeculative: false)
        }
        // Some ten thousand hashes: not on an event loop.
        let isPassword = await withTaskExecutorPreference(globalConcurrentExecutor) {
            await Self.check(login, credentials)
        }
        guard isPassword, let userID else { throw refuse(name, Self.plain, "wrong password, or no such user") }
        try await logIn(name, id: userID, mechanism: Self.plain)
        return SaslReply(conversation: 1, payload: [], isDone: true)
    }

    @concurrent private static func check(_ login: PlainLogin, _ credentials: ScramCredentials) async -> Bool {
        login.isPassword(of: credentials)
    }

    /// - Parameter user: nil for the one whom the certificate names.
    func logInByCertificate(
        _ user: String?, in database: String, mechanism: String, isSpeculative: Bool = false
    ) async throws(CommandError) -> UserName {
        try checkRate()
        access.logins.received(mechanism, isSpeculative: isSpeculative)
        let certificate = await connection.security?.certificate()
        guard mechanism == Self.x509, database == PrincipalName.external, let certificate,
            let subject = CertificateSubject.name(ofDER: certificate), user?.hasSameBytes(as: subject) ?? true
        else {
            throw refuse(
                user.map { UserName($0, in: database) }, mechanism.forLog,
                "the client has shown no certificate, or that of another user")
        }
        let name = UserName(subject, in: PrincipalName.external)
        try checkOnlyUser(name)
        try await logIn(name, id: nil, mechanism: Self.x509, isSpeculative: isSpeculative)
        return name
    }
}

// What `hello` carries of a login.
extension Authenticator {
    /// How a user may log in. For one who does not exist the answer is that of a new user.
    func mechanisms(of name: UserName) async -> [String] {
        access.logins.mechanismsAsked.count()
        let record = try? await access.store.user(name)
        return record?.mechanisms ?? ScramMechanism.allCases.map(\.rawValue)
    }

    /// The first step of a login that a client sends ahead. When it fails the client will find out by its own login.
    func speculate(_ document: Document, into builder: inout DocumentBuilder) async {
        if document.withRaw({ $0.firstElement?.key == RawKey("authenticate") }) {
            let (user, mechanism) = document.withRaw { ($0["user"]?.string, $0["mechanism"]?.string) }
            guard connection.security != nil,
                let name = try? await logInByCertificate(
                    user, in: PrincipalName.external, mechanism: mechanism ?? Self.x509, isSpeculative: true)
            else { return }
            builder.beginDocument("speculativeAuthenticate")
            builder.write(certificateLogin: name)
            builder.end()
        } else if let reply = await speculativeStart(document) {
            builder.beginDocument("speculativeAuthenticate")
            reply.write(into: &builder)
            builder.end()
        }
    }

    private func speculativeStart(_ document: Document) async -> SaslReply? {
        do throws(CommandError) {
            return try await start(SaslStartArguments(speculative: document), isSpeculative: true)
        } catch { return nil }
    }
}

extension ScramFailure {
    fileprivate var reason: String {
        switch self {
        case .malformed(let reason): reason
        case .refused: "wrong password"
        }
    }
}
