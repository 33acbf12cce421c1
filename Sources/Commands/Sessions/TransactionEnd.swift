internal import BSON
internal import CommandModel
internal import Storage

// specifications/source/transactions/transactions.md

/// `commitTransaction` and `abortTransaction`: the session and number that they end.
struct TransactionEnd {
    let session: LogicalSessionID
    let number: Int64

    init(_ request: CommandRequest, of command: StaticString) throws(CommandError) {
        try request.forEachArgument(of: command) { argument throws(CommandError) in
            guard argument.key == "recoveryToken" else { throw argument.unknownField() }
            if !argument.isOmitted { _ = try argument.document() }
        }
        guard let session = request.shared.sessionID, let number = request.shared.transactionNumber else {
            throw CommandError(ErrorCode(125, "CommandFailed"), "\(command) must be run within a transaction")
        }
        guard request.shared.isInTransaction else {
            throw CommandError(
                ErrorCode(50768, "NotARetryableWriteCommand"),
                "\(command) takes a transaction number with 'autocommit: false' only, since it is no retryable write")
        }
        self.session = session
        self.number = number
    }
}
