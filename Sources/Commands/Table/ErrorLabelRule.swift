package import CommandModel

/// Which labels an error carries, so that drivers know what may be sent again: the one place that decides by code.
///
/// Sources: specifications/source/retryable-writes/retryable-writes.md (the codes), transactions/transactions.md.
package enum ErrorLabelRule {
    /// The labels that belong to `code` as the answer to `request`.
    package static func labels(of code: ErrorCode, answering request: CommandRequest) -> [String] {
        let isEnd = endsTransaction(request.name)
        if request.shared.isInTransaction {
            if losesTransaction.contains(code.number) { return ["TransientTransactionError"] }
            guard retryable.contains(code.number) else { return [] }
            // The end of a transaction may be sent again by itself; any other statement only with all before it.
            return [isEnd ? retryableWrite : "TransientTransactionError"]
        }
        let isRetryable = request.shared.transactionNumber != nil && isRetryableWrite(request.name)
        return isRetryable && retryable.contains(code.number) ? [retryableWrite] : []
    }

    /// The labels for the code of a `writeConcernError`. Within a transaction only its end has a write concern.
    package static func labels(ofWriteConcernError code: Int32, answering request: CommandRequest) -> [String] {
        let isOutside = !request.shared.isInTransaction && isRetryableWrite(request.name)
        guard request.shared.transactionNumber != nil, isOutside || endsTransaction(request.name) else { return [] }
        return retryable.contains(code) ? [retryableWrite] : []
    }

    private static let retryableWrite = "RetryableWriteError"

    /// The write may not have happened, and the same again may succeed.
    private static let retryable: Set<Int32> = [
        6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436,
    ]

    /// What ends a command of several statements at once: the server cannot go on, or may not. Also what drivers look
    /// for at the top of a reply only, since they retry commands, not statements.
    fileprivate static func endsCommand(_ code: ErrorCode) -> Bool {
        retryable.contains(code.number) || [.maxTimeMSExpired, .interrupted, .transactionTooOld].contains(code)
            || code == .ingressRequestRateLimitExceeded
    }

    /// LockTimeout, WriteConflict, SnapshotUnavailable, NoSuchTransaction, PreparedTransactionInProgress: the
    /// transaction is gone, and the same from its beginning may succeed.
    private static let losesTransaction: Set<Int32> = [24, 112, 246, 251, 267]

    /// The commands that may carry a number without being part of a transaction.
    package static func isRetryableWrite(_ command: String) -> Bool {
        switch command {
        case "insert", "update", "delete", "bulkWrite", "findAndModify", "findandmodify": true
        default: false
        }
    }

    private static func endsTransaction(_ command: String) -> Bool {
        command == "commitTransaction" || command == "abortTransaction"
    }
}

extension CommandError {
    /// Not the fault of one statement of a command.
    var endsCommand: Bool { ErrorLabelRule.endsCommand(code) || labels.contains("TransientTransactionError") }

    /// With the labels that the rule adds to those it has.
    package func labelled(answering request: CommandRequest) -> CommandError {
        var error = self
        for label in ErrorLabelRule.labels(of: code, answering: request) where !labels.contains(label) {
            error.labels.append(label)
        }
        return error
    }
}
