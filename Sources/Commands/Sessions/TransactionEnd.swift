internal import BSON
internal import CommandModel

// specifications/source/transactions/transactions.md

/// How `commitTransaction` and `abortTransaction` are refused: no statement begins a transaction so far, so there is
/// none that could end.
enum TransactionEnd {
    static func refusal(_ request: CommandRequest, of command: StaticString) throws(CommandError) -> CommandError {
        try request.forEachArgument(of: command) { argument throws(CommandError) in
            guard argument.key == "recoveryToken" else { throw argument.unknownField() }
            if !argument.isOmitted { _ = try argument.document() }
        }
        guard let number = request.shared.transactionNumber else {
            return CommandError(ErrorCode(125, "CommandFailed"), "\(command) must be run within a transaction")
        }
        guard request.shared.isInTransaction else {
            return CommandError(
                ErrorCode(50768, "NotARetryableWriteCommand"),
                "\(command) takes a transaction number with 'autocommit: false' only, since it is no retryable write")
        }
        // The label lets the driver run the transaction from its start: nothing of it has been done.
        return CommandError(
            .noSuchTransaction, "Given transaction number \(number) does not match any in-progress transactions.",
            labels: ["TransientTransactionError"])
    }
}
