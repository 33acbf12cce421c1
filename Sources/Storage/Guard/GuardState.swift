package import CommandModel
package import NIOCore

/// What is known of one numbered command: which of its statements took effect before, and what to record next. Pure.
///
/// # What it guarantees
///
/// 1. A statement of a number takes effect at most once, whoever sends the command how often, over whichever
///    connection, to whichever server in front of the same PostgreSQL, before or after a crash.
/// 2. A command that comes again gets the results of the statements that took effect, and the others run.
/// 3. A number older than the newest of its session is refused (225): its command was given up by the client.
///
/// # The obvious design, and why not
///
/// A table of results in the server's memory, or in PostgreSQL beside the writes: the first is gone with the process,
/// in the second a crash between the write and its note leaves one without the other. Reading the note first and
/// writing after it, in one transaction, is right only with a lock on the session, and costs a round trip for each
/// write to learn what is nearly always the answer: no, never seen.
///
/// # The design
///
/// A write carries a *claim* into its own transaction: "this is recording number `step` of number `n` of session `s`".
/// One statement stores the document and, only if that took effect, writes the recording over the session's row; a
/// row that is not exactly one step behind raises an error, and the whole transaction is undone. So a write
/// needs no look before it. The row is read only
///
/// - before a command whose number is not newer than all that this process has seen of the session (it is a retry, or
///   another server may have had it), or whose session this process has not seen at all;
/// - after a claim was refused, or a connection was lost on the way to a commit: then the row says what happened. A
///   copy under way elsewhere holds the row's lock until its end, so a claim never passes an uncertain one;
/// - after a statement had no effect. A copy at another server may have been faster, and then the duplicate key, or the
///   document that no longer matches, is its work.
///
/// Within one process the commands of a session take turns, so a retry that overtakes its original waits for it.
package struct GuardState: Sendable {
    package let number: Int64
    /// How many recordings of this number there are.
    private(set) var step: Int32 = 0
    private var results: [Int32: Result<WriteTally, CommandError>] = [:]
    private var insertRuns: [Range<Int32>] = []
    private(set) var isCommitted = false
    /// The statements that were answered from what is recorded, in the order of the command.
    package private(set) var repeated: [Int32] = []
    private var repeatedOnes: Set<Int32> = []

    private let fingerprint: [UInt8]?

    init(number: Int64, fingerprint: [UInt8]? = nil) {
        self.number = number
        self.fingerprint = fingerprint
    }

    /// Takes in the session's row.
    ///
    /// - Throws: TransactionTooOld (225); BadValue (2) for a key that was used for another command.
    mutating func loaded(number found: Int64, step: Int32, results: ByteBuffer) throws(CommandError) {
        guard found <= number else { throw .transactionTooOld(number, newest: found) }
        guard found == number else { return forget() }
        forget()
        self.step = step
        for recording in Recording.list(in: results) {
            switch recording {
            case .statement(let statement, let tally): self.results[statement] = .success(tally)
            case .failure(let statement, let error): self.results[statement] = .failure(error)
            case .inserts(let first, let count):
                let (end, overflow) = first.addingReportingOverflow(count)
                if !overflow, end > first { insertRuns.append(first..<end) }
            case .committed: isCommitted = true
            case .fingerprint(let found): guard found == fingerprint else { throw .otherCommand }
            }
        }
    }

    /// There is no row: nothing of the session took effect.
    mutating func loadedNothing() { forget() }

    /// What the statement did before, if it did.
    mutating func repeatedResult(of statement: Int32) -> Result<WriteTally, CommandError>? {
        let known = result(of: statement)
        if known != nil, repeatedOnes.insert(statement).inserted { repeated.append(statement) }
        return known
    }

    func result(of statement: Int32) -> Result<WriteTally, CommandError>? {
        results[statement] ?? (insertRuns.contains { $0.contains(statement) } ? .success(WriteTally()) : nil)
    }

    /// A claim was committed.
    mutating func recorded() { step &+= 1 }

    private mutating func forget() {
        step = 0
        results = [:]
        insertRuns = []
        isCommitted = false
    }
}

extension CommandError {
    /// Answering the second command of a batch that a driver has split would lose its writes in silence.
    static let otherCommand = CommandError(
        .badValue,
        "comment.idempotencyKey was used for another command on the collection: each command takes its own key")

    package static func transactionTooOld(_ number: Int64, newest: Int64) -> CommandError {
        CommandError(
            .transactionTooOld,
            "Retryable write with txnNumber \(number) is prohibited on session because a newer retryable write with "
                + "txnNumber \(newest) has already started on this session.")
    }
}
