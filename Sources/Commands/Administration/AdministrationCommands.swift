// What operators do with a running server.

extension CommandTable {
    static let administrationCommands: [Entry] = [
        entry("applyOps", "applies entries of an oplog", adminOnly: true, applyOps),
        entry("autoCompact", "compacts collections in the background", adminOnly: true, autoCompact),
        entry(
            "compactStructuredEncryptionData", "is refused: encrypted fields are kept, and not searched",
            compactStructuredEncryptionData),
        entry("dbHash", "a sum of the documents of each collection", dbHash),
        entry(
            "dropConnections", "closes connections to other servers: there are none", adminOnly: true, dropConnections),
        entry("fsync", "flushes what is committed, and locks against writes", adminOnly: true, fsync),
        entry("fsyncUnlock", "lets go of the lock of fsync", adminOnly: true, fsyncUnlock),
        entry("getClusterParameter", "shows parameters of all servers", adminOnly: true, getClusterParameter),
        entry("getDiagnosticData", "counters and states in one document", adminOnly: true, getDiagnosticData),
        entry("lockInfo", "the locks on collections", adminOnly: true, lockInfo),
        entry("logRotate", "does nothing: the log goes to standard error", adminOnly: true, logRotate),
        entry("profile", "which commands are written to system.profile", profile),
        entry("rotateCertificates", "reads the certificates of TLS again", adminOnly: true, rotateCertificates),
        entry("setClusterParameter", "changes a parameter of all servers", adminOnly: true, setClusterParameter),
        entry("setDefaultRWConcern", "changes the default concerns", adminOnly: true, setDefaultRWConcern),
        entry(
            "setFeatureCompatibilityVersion", "accepts the version that there is", adminOnly: true,
            setFeatureCompatibilityVersion),
        entry("setUserWriteBlockMode", "refuses writes, or allows them again", adminOnly: true, setUserWriteBlockMode),
        entry("shutdown", "ends this server", adminOnly: true, shutdown),
        entry("top", "time and counts of each collection", adminOnly: true, top),
    ]
}
