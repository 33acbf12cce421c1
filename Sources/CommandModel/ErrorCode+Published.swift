extension ErrorCode {
    /// A code that comes as a number from outside, with its name where that is known.
    ///
    /// Source: the lists of codes in the specifications of drivers, and their tests.
    package static func published(_ number: Int32) -> ErrorCode {
        ErrorCode(number, names[number])
    }

    private static let names: [Int32: String] = [
        1: "InternalError", 2: "BadValue", 6: "HostUnreachable", 7: "HostNotFound", 8: "UnknownError",
        9: "FailedToParse", 11: "UserNotFound", 13: "Unauthorized", 14: "TypeMismatch", 18: "AuthenticationFailed",
        20: "IllegalOperation", 24: "LockTimeout", 26: "NamespaceNotFound", 43: "CursorNotFound",
        48: "NamespaceExists", 50: "MaxTimeMSExpired", 59: "CommandNotFound", 64: "WriteConcernFailed",
        79: "UnknownReplWriteConcern", 89: "NetworkTimeout", 91: "ShutdownInProgress",
        100: "UnsatisfiableWriteConcern", 112: "WriteConflict", 133: "FailedToSatisfyReadPreference",
        134: "ReadConcernMajorityNotAvailableYet", 136: "CappedPositionLost", 150: "StaleEpoch",
        189: "PrimarySteppedDown", 211: "KeyNotFound", 216: "ElectionInProgress", 225: "TransactionTooOld",
        234: "RetryChangeStream", 237: "CursorKilled", 246: "SnapshotUnavailable", 251: "NoSuchTransaction",
        262: "ExceededTimeLimit", 267: "PreparedTransactionInProgress", 280: "ChangeStreamFatalError",
        286: "ChangeStreamHistoryLost", 391: "ReauthenticationRequired", 462: "IngressRequestRateLimitExceeded",
        9001: "SocketException", 10107: "NotWritablePrimary", 11000: "DuplicateKey",
        11600: "InterruptedAtShutdown", 11601: "Interrupted", 11602: "InterruptedDueToReplStateChange",
        13388: "StaleConfig", 13435: "NotPrimaryNoSecondaryOk", 13436: "NotPrimaryOrSecondary",
    ]
}
