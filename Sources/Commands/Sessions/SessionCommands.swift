extension CommandTable {
    static let sessionCommands: [Entry] = [
        // The only two that take a write concern.
        entry(
            "abortTransaction", "refused: no transaction can have begun", adminOnly: true, stable: true,
            abortTransaction),
        entry(
            "commitTransaction", "refused: no transaction can have begun", adminOnly: true, stable: true,
            commitTransaction),
        entry("endSessions", "ends sessions and their cursors", stable: true, withoutConcerns(endSessions)),
        entry("killAllSessions", "kills the cursors of all sessions", withoutConcerns(killAllSessions)),
        entry(
            "killAllSessionsByPattern", "kills cursors of some sessions", withoutConcerns(killAllSessionsByPattern)),
        entry("killSessions", "kills the cursors of sessions", withoutConcerns(killSessions)),
        entry("refreshSessions", "keeps sessions alive", stable: true, withoutConcerns(refreshSessions)),
        entry("startSession", "makes a session", withoutConcerns(startSession)),
    ]
}
