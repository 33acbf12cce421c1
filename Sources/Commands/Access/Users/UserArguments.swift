internal import Access
internal import BSON
internal import CommandModel

/// What `createUser` and `updateUser` say about a user.
struct UserArguments: Sendable {
    let name: UserName
    private(set) var password: String?
    /// The password comes as it is; else as the digest that SCRAM-SHA-1 is made from.
    private(set) var digestsPassword = true
    private(set) var customData: Document?
    private(set) var roles: [RoleName]?
    private(set) var restrictions: AuthenticationRestrictions?
    private(set) var mechanisms: [ScramMechanism]?

    init(_ request: CommandRequest, of command: StaticString) throws(CommandError) {
        name = try request.principalName(of: command, "user")
        try request.forEachArgument(of: command) { argument throws(CommandError) in
            guard !argument.isOmitted else { return }
            switch argument.key {
            case "pwd": password = try argument.string()
            case "digestPassword": digestsPassword = try argument.lenientBool()
            case "customData": customData = try argument.document()
            case "roles": roles = try RoleName.list(argument.array(), in: request.database)
            case "authenticationRestrictions": restrictions = try AuthenticationRestrictions(argument.value)
            case "mechanisms": mechanisms = try argument.mechanisms()
            default: throw argument.unknownField()
            }
        }
    }

    var isEmpty: Bool {
        password == nil && customData == nil && roles == nil && restrictions == nil && mechanisms == nil
    }

    func checkPassword() throws(CommandError) {
        guard let password else { return }
        guard name.database != PrincipalName.external else {
            throw CommandError(.badValue, "Cannot set the password for users defined on the '$external' database")
        }
        guard !password.isEmpty else { throw CommandError(.badValue, "Password cannot be empty") }
        guard password.utf8.count <= SASLprep.lengthMax else {
            throw CommandError(.badValue, "a password may have \(SASLprep.lengthMax) bytes")
        }
        guard digestsPassword || (mechanisms ?? ScramMechanism.allCases) == [.sha1] else {
            throw CommandError(.badValue, "Use of SCRAM-SHA-256 requires undigested passwords")
        }
    }
}

extension CommandRequest {
    /// The user or the role that the first field names, of the command's database.
    func principalName(of command: StaticString, _ kind: StaticString) throws(CommandError) -> PrincipalName {
        let name = try withCommandValue(of: command) { argument throws(CommandError) in try argument.string() }
        if database != PrincipalName.external { try Namespace.validate(database: database) }
        guard database != "local" else {
            throw CommandError(.badValue, "Cannot create or change users and roles in the local database")
        }
        return try PrincipalName(checking: name, in: database, kind)
    }
}

extension Argument {
    fileprivate func mechanisms() throws(CommandError) -> [ScramMechanism] {
        var mechanisms: [ScramMechanism] = []
        for element in try array() {
            guard let name = element.value.string else {
                throw .wrongType("\(self.name).\(element.key.string)", element.value, expected: "string")
            }
            guard let mechanism = ScramMechanism(rawValue: name) else {
                throw CommandError(.badValue, "Unknown auth mechanism '\(name)'")
            }
            if !mechanisms.contains(mechanism) { mechanisms.append(mechanism) }
        }
        guard !mechanisms.isEmpty else { throw CommandError(.badValue, "mechanisms field must not be empty") }
        return mechanisms
    }
}

extension AccessDirectory {
    /// Keys for a new password.
    func credentials(for arguments: UserArguments) async throws(CommandError) -> [ScramCredentials] {
        guard let password = arguments.password else { return [] }
        var passwords: [(ScramMechanism, PreparedPassword, iterations: Int)] = []
        for mechanism in arguments.mechanisms ?? ScramMechanism.allCases {
            passwords.append((mechanism, try arguments.prepared(password, for: mechanism), iterations(mechanism)))
        }
        let jobs = passwords
        // Some ten thousand hashes: not on an event loop, where others would wait.
        return await withTaskExecutorPreference(globalConcurrentExecutor) { await Self.derive(jobs) }
    }

    @concurrent private static func derive(
        _ jobs: [(ScramMechanism, PreparedPassword, iterations: Int)]
    ) async -> [ScramCredentials] {
        jobs.map { mechanism, password, iterations in
            ScramCredentials(
                password, mechanism: mechanism, salt: secureRandomBytes(mechanism.saltLength), iterations: iterations)
        }
    }
}

extension UserArguments {
    fileprivate func prepared(
        _ password: String, for mechanism: ScramMechanism
    ) throws(CommandError) -> PreparedPassword {
        guard digestsPassword else { return PreparedPassword(digest: password) }
        do throws(SASLprepFailure) {
            return try PreparedPassword(password, of: name.name, for: mechanism)
        } catch {
            throw CommandError(
                .badValue, "the password holds a character that SASLprep (RFC 4013) forbids, as SCRAM-SHA-256 asks for")
        }
    }
}
