/// Which concerns a command knows. The rest is refused: a client that asks for a guarantee must get it, or hear that
/// it does not.
///
/// Source: https://www.mongodb.com/docs/manual/reference/read-concern/ (read concern support).
package struct ConcernSupport: Sendable {
    private enum Reads {
        /// `local` changes nothing, so that every command takes it.
        case localOnly
        case committed
        case all
    }

    private var reads = Reads.localOnly
    private var takesWriteConcern = false

    package init(of command: String) {
        switch command {
        case "find", "distinct", "explain": reads = .all
        case "aggregate":
            reads = .all
            takesWriteConcern = true
        case "count": reads = .committed
        case "insert", "update", "delete", "bulkWrite", "findAndModify", "findandmodify", "create", "createIndexes",
            "drop", "dropDatabase", "dropIndexes", "renameCollection", "collMod", "convertToCapped",
            "cloneCollectionAsCapped", "commitTransaction", "abortTransaction", "createUser", "updateUser", "dropUser",
            "dropAllUsersFromDatabase", "grantRolesToUser", "revokeRolesFromUser", "createRole", "updateRole",
            "dropRole", "dropAllRolesFromDatabase", "grantRolesToRole", "revokeRolesFromRole",
            "grantPrivilegesToRole", "revokePrivilegesFromRole", "setDefaultRWConcern",
            "setFeatureCompatibilityVersion", "setUserWriteBlockMode":
            takesWriteConcern = true
        default: break
        }
    }

    package func check(_ shared: SharedArguments, command: String) throws(CommandError) {
        if let level = shared.readConcern?.level, !allows(level) {
            throw CommandError(
                .invalidOptions,
                "Command \(command) does not support { readConcern: { level: \"\(level.rawValue)\" } }")
        }
        if shared.writeConcern != nil, !takesWriteConcern {
            throw CommandError(.invalidOptions, "Command \(command) does not support writeConcern")
        }
    }

    private func allows(_ level: ReadConcern.Level) -> Bool {
        switch reads {
        case .localOnly: level == .local
        case .committed: [.local, .available, .majority, .linearizable].contains(level)
        case .all: true
        }
    }
}
