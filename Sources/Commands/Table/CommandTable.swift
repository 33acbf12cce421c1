package import CommandModel

/// The commands by name: one entry each, deprecated spellings as entries of their own.
package struct CommandTable: Sendable {
    package typealias Handler = @Sendable (CommandRequest, CommandContext) async throws(CommandError) -> CommandReply

    package struct Entry: Sendable {
        package let name: String
        /// Shown by `listCommands`.
        package let help: String
        /// Runs on the `admin` database only.
        package let isAdminOnly: Bool
        /// May be sent with `apiStrict`.
        package let isInStableAPI: Bool
        /// Exists only on a server that was started with test commands.
        package let isTestsOnly: Bool
        /// Counts among `opcounters.command`; the others count themselves, by what they do.
        package let isCountedAsCommand: Bool
        /// Who may send it.
        package let access: CommandAccess
        let audit: AuditRule?
        package let handler: Handler
        /// Its place in ``CommandTable/all``: where ``CommandMetrics`` counts it.
        package fileprivate(set) var number = 0
    }

    private let entries: [String: Entry]
    private let auditRules: [AuditRule?]

    package var count: Int { entries.count }

    package static let standard = CommandTable(
        documentCommands + collectionCommands + diagnosticCommands + sessionCommands + operationCommands
            + accessCommands + administrationCommands + testCommands)

    init(_ list: [Entry]) {
        var entries = Dictionary(list.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        for (number, name) in entries.keys.sorted().enumerated() { entries[name]?.number = number }
        self.entries = entries
        auditRules = entries.values.sorted { $0.number < $1.number }.map(\.audit)
    }

    package subscript(name: String) -> Entry? { entries[name] }

    /// - Parameter number: of a command.
    package func auditRule(of number: Int) -> AuditRule? {
        auditRules.indices.contains(number) ? auditRules[number] : nil
    }

    package var all: [Entry] { entries.values.sorted { $0.name < $1.name } }
}

extension CommandTable {
    static func entry(
        _ name: String, _ help: String, adminOnly: Bool = false, stable: Bool = false, testsOnly: Bool = false,
        _ handler: @escaping Handler
    ) -> Entry {
        Entry(
            name: name, help: help, isAdminOnly: adminOnly, isInStableAPI: stable, isTestsOnly: testsOnly,
            isCountedAsCommand: !["insert", "find", "update", "delete", "getMore"].contains(name),
            access: .of(name), audit: .of(name), handler: handler)
    }

    static let documentCommands: [Entry] = [
        entry("aggregate", "sends a collection's documents through a pipeline of stages", stable: true, aggregate),
        entry("bulkWrite", "writes to several collections", adminOnly: true, stable: true, bulkWrite),
        entry("count", "counts documents that match a query", stable: true, count),
        entry("delete", "removes documents", stable: true, delete),
        entry("distinct", "the distinct values of a field", stable: true, distinct),
        entry("explain", "how a command would run", stable: true, explain),
        entry("martletSQL", "the SQL that a command would send", martletSQL),
        entry("find", "reads documents", stable: true, find),
        entry("findAndModify", "updates or removes one document and returns it", stable: true, findAndModify),
        entry("findandmodify", "the same as findAndModify", findAndModify),
        entry("getMore", "reads on from a cursor", stable: true, getMore),
        entry("insert", "stores documents", stable: true, insert),
        entry("killCursors", "closes cursors", stable: true, killCursors),
        entry("mapReduce", "is refused: it needs JavaScript", mapReduce),
        entry("mapreduce", "the same as mapReduce", mapReduce),
        entry("update", "changes documents", stable: true, update),
    ]

    static let collectionCommands: [Entry] = [
        entry("cloneCollectionAsCapped", "copies a collection into a capped one", cloneCollectionAsCapped),
        entry("collMod", "changes the options of a collection", stable: true, collMod),
        entry("collStats", "sizes of a collection", collStats),
        entry("compact", "gives the room of deleted documents back", compact),
        entry("convertToCapped", "makes a collection a capped one", convertToCapped),
        entry("create", "creates a collection", stable: true, create),
        entry("createIndexes", "creates indexes", stable: true, createIndexes),
        entry("dataSize", "bytes of a collection's documents", dataSize),
        entry("dbStats", "sizes of a database", dbStats),
        entry("dbstats", "the same as dbStats", dbStats),
        entry("deleteIndexes", "the same as dropIndexes", dropIndexes),
        entry("drop", "drops a collection", stable: true, drop),
        entry("dropDatabase", "drops all collections of a database", stable: true, dropDatabase),
        entry("dropIndexes", "drops indexes", stable: true, dropIndexes),
        entry("listCollections", "the collections of a database", stable: true, listCollections),
        entry("listDatabases", "the databases", adminOnly: true, stable: true, listDatabases),
        entry("listIndexes", "the indexes of a collection", stable: true, listIndexes),
        entry("planCacheClear", "forgets plans, of which none are kept", planCacheClear),
        entry("planCacheClearFilters", "forgets index filters", planCacheClearFilters),
        entry("planCacheListFilters", "the index filters of a collection", planCacheListFilters),
        entry("planCacheSetFilter", "sets which indexes queries of one shape may use", planCacheSetFilter),
        entry("reIndex", "builds the indexes of a collection anew", reIndex),
        entry("removeQuerySettings", "removes settings for queries of one shape", adminOnly: true, removeQuerySettings),
        entry("renameCollection", "renames a collection", adminOnly: true, renameCollection),
        entry("setQuerySettings", "sets how queries of one shape are answered", adminOnly: true, setQuerySettings),
        entry("validate", "checks the documents of a collection", validate),
        entry(
            "validateDBMetadata", "checks the catalog against an API version", validateDBMetadata),
    ]
}
