internal import BSON
internal import CommandModel

/// The options of `$collStats`; what is not asked for is not told.
package struct CollectionStatisticsOptions: Sendable, Hashable {
    package private(set) var wantsLatencies = false
    package private(set) var wantsHistograms = false
    package private(set) var wantsCount = false
    package private(set) var wantsExecutions = false
    /// What sizes are divided by; nil when they are not asked for.
    package private(set) var scale: Int64?

    /// Whether it asks for nothing that a collection must exist for.
    package var needsCollection: Bool { wantsCount || wantsExecutions || scale != nil }
    var countsOnly: Bool { !wantsLatencies && !wantsExecutions && scale == nil }

    init(_ value: RawValue) throws(CommandError) {
        guard let document = value.document else {
            throw CommandError(ErrorCode(5_447_000), "$collStats must be an object, but is \(value.type.alias)")
        }
        for field in document {
            try take(Argument(command: "$collStats", key: field.key, value: field.value))
        }
    }

    private mutating func take(_ argument: Argument) throws(CommandError) {
        switch argument.key {
        case "latencyStats":
            guard let histograms = try argument.ifPresent(Argument.latencyOptions) else { return }
            (wantsLatencies, wantsHistograms) = (true, histograms)
        case "storageStats": if let wanted = try argument.ifPresent(Argument.storageScale) { scale = wanted }
        case "count": if try argument.ifPresent(Argument.emptyObject) != nil { wantsCount = true }
        case "queryExecStats": if try argument.ifPresent(Argument.emptyObject) != nil { wantsExecutions = true }
        default: throw argument.unknownField()
        }
    }
}

extension Argument {
    fileprivate func object() throws(CommandError) -> RawDocument {
        guard let document = value.document else { throw wrongType(expected: "object") }
        return document
    }

    fileprivate func emptyObject() throws(CommandError) -> Bool {
        guard try object().isEmpty else {
            throw CommandError(ErrorCode(31170), "\(name) takes no options")
        }
        return true
    }

    /// - Returns: whether it asks for histograms.
    fileprivate func latencyOptions() throws(CommandError) -> Bool {
        var histograms = false
        for field in try object() {
            let option = Argument(command: "latencyStats", key: field.key, value: field.value)
            guard field.key == "histograms" else { throw option.unknownField() }
            histograms = try option.bool()
        }
        return histograms
    }

    /// Options that it does not know do not matter to it.
    fileprivate func storageScale() throws(CommandError) -> Int64 {
        guard let value = try object()["scale"] else { return 1 }
        let option = Argument(command: "storageStats", key: RawKey("scale"), value: value)
        let scale = try option.ifPresent(Argument.integer) ?? 1
        guard scale >= 1 else {
            throw CommandError(Self.outOfRange, "'scale' of storageStats must be >= 1, but is \(scale)")
        }
        return min(scale, Int64(Int32.max))
    }
}

/// The options of `$currentOp`.
package struct OperationListOptions: Sendable, Hashable {
    package private(set) var showsAllUsers = false
    package private(set) var showsIdleConnections = false
    package private(set) var showsIdleCursors = false
    package private(set) var showsIdleSessions = true
    package private(set) var truncates = false

    init(_ value: RawValue) throws(CommandError) {
        var taken = self
        try ServerSource.fields(of: value, "$currentOp") { argument throws(CommandError) in try taken.take(argument) }
        self = taken
    }

    private mutating func take(_ argument: Argument) throws(CommandError) {
        switch argument.key {
        case "allUsers": showsAllUsers = try argument.bool()
        // There are no shards, so all are local.
        case "localOps": _ = try argument.bool()
        case "idleConnections": showsIdleConnections = try argument.bool()
        case "idleCursors": showsIdleCursors = try argument.bool()
        case "idleSessions": showsIdleSessions = try argument.bool()
        case "truncateOps": truncates = try argument.bool()
        case "targetAllNodes":
            guard try argument.bool() else { return }
            throw CommandError(.failedToParse, "$currentOp takes targetAllNodes: true in a sharded cluster only")
        default: throw argument.unknownField()
        }
    }
}

/// The options of `$listLocalSessions` and `$listSessions`.
package struct SessionListOptions: Sendable, Hashable {
    package struct User: Sendable, Hashable {
        package let name: String
        package let database: String
    }

    /// Whose sessions it asks for; empty for the client's own.
    package private(set) var users: [User] = []
    package private(set) var asksForAll = false

    init(_ value: RawValue, of stage: StaticString) throws(CommandError) {
        var (users, allUsers) = ([User](), false)
        try ServerSource.fields(of: value, stage) { argument throws(CommandError) in
            switch argument.key {
            case "users": users = try argument.ifPresent(Argument.principals) ?? []
            case "allUsers": allUsers = try argument.ifPresent(Argument.bool) ?? false
            default: throw argument.unknownField()
            }
        }
        guard users.isEmpty || !allUsers else {
            throw CommandError(
                ErrorCode(12, "UnsupportedFormat"), "\(stage) takes either 'users' or 'allUsers', not both")
        }
        (self.users, asksForAll) = (users, allUsers)
    }
}

extension Argument {
    /// `[{user: …, db: …}]`
    fileprivate func principals() throws(CommandError) -> [SessionListOptions.User] {
        var users: [SessionListOptions.User] = []
        for element in try array() {
            let principal = Argument(command: "users", key: element.key, value: element.value)
            if let user = try principal.ifPresent(Argument.principal) { users.append(user) }
        }
        return users
    }

    private func principal() throws(CommandError) -> SessionListOptions.User {
        var (user, database) = (String?.none, String?.none)
        for field in try object() {
            let part = Argument(command: "users", key: field.key, value: field.value)
            switch field.key {
            case "user": user = try part.string()
            case "db": database = try part.string()
            default: throw part.unknownField()
            }
        }
        guard let user else { throw .missingField("users.user") }
        guard let database else { throw .missingField("users.db") }
        return SessionListOptions.User(name: user, database: database)
    }
}

/// The options of `$listClusterCatalog`.
package struct ClusterCatalogOptions: Sendable, Hashable {
    package private(set) var showsShards = false

    init(_ value: RawValue) throws(CommandError) {
        guard let document = value.document else {
            throw CommandError(
                ErrorCode(9_621_302), "$listClusterCatalog must be an object, but is \(value.type.alias)")
        }
        for field in document {
            let argument = Argument(command: "$listClusterCatalog", key: field.key, value: field.value)
            switch field.key {
            case "shards": showsShards = try argument.bool()
            // Nothing is balanced where there are no shards.
            case "balancingConfiguration": _ = try argument.bool()
            default: throw argument.unknownField()
            }
        }
    }
}
