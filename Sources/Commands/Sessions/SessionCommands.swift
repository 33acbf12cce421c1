extension CommandTable {
    static let sessionCommands: [Entry] = [
        entry(
            "abortTransaction", "rolls back the transaction of a session", adminOnly: true, stable: true,
            abortTransaction),
        entry(
            "commitTransaction", "commits the transaction of a session", adminOnly: true, stable: true,
            commitTransaction),
        entry("endSessions", "ends sessions and their cursors", stable: true, endSessions),
        entry("killAllSessions", "kills the cursors of all sessions", killAllSessions),
        entry("killAllSessionsByPattern", "kills the cursors of some sessions", killAllSessionsByPattern),
        entry("killSessions", "kills the cursors of sessions", killSessions),
        entry("refreshSessions", "keeps sessions alive", stable: true, refreshSessions),
        entry("startSession", "makes a session", startSession),
    ]
}
