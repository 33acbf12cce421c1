package import Access
internal import NIOConcurrencyHelpers

/// A login that is under way: one for each connection at most, so that an unknown client costs little memory.
struct SaslConversation: Sendable {
    let number: Int32
    let user: UserName
    /// Of the user when the conversation began; nil for one who does not exist.
    let userID: [UInt8]?
    let mechanism: ScramMechanism
    /// A handshake has carried its first step.
    let isSpeculative: Bool
    var server: ScramServer
}

/// Who has logged in on a connection, and who is about to.
struct Login: Sendable {
    var user: AuthenticatedUser?
    var conversation: SaslConversation?
    var conversationsStarted: Int32 = 0
}

extension ConnectionInfo {
    /// Who has logged in.
    package var user: AuthenticatedUser? { login.withLockedValue { $0.user } }

    package var hasUser: Bool { login.withLockedValue { $0.user != nil } }

    /// The hash of the user whose operations these are; nil where users do not matter.
    func owner(_ context: CommandContext) -> [UInt8]? {
        context.server.access.isEnforced ? user?.sessionOwner : nil
    }

    package func logIn(_ user: AuthenticatedUser) { login.withLockedValue { $0.user = user } }

    /// The roles were looked up again; nil for a user who is no more. Commands of a connection run one after the other,
    /// so that nobody else has logged in meanwhile.
    func replaceUser(_ user: AuthenticatedUser?) { login.withLockedValue { $0.user = user } }

    /// - Returns: who it was.
    func logOut() -> AuthenticatedUser? {
        login.withLockedValue { login in
            defer { login.user = nil }
            login.conversation = nil
            return login.user
        }
    }

    /// A login takes the place of the one that was under way.
    func begin(_ conversation: (Int32) -> SaslConversation) -> Int32 {
        login.withLockedValue { login in
            login.conversationsStarted = login.conversationsStarted == .max ? 1 : login.conversationsStarted + 1
            login.conversation = conversation(login.conversationsStarted)
            return login.conversationsStarted
        }
    }

    func takeConversation() -> SaslConversation? {
        login.withLockedValue { login in
            defer { login.conversation = nil }
            return login.conversation
        }
    }

    func resume(_ conversation: SaslConversation) { login.withLockedValue { $0.conversation = conversation } }
}
