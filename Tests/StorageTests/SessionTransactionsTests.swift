import CommandModel
import Testing

@testable import Storage

@Suite struct SessionTransactionsTests {
    private func code(_ body: () throws(CommandError) -> Void) -> Int32? {
        do throws(CommandError) {
            try body()
            return nil
        } catch {
            return error.code.number
        }
    }

    private func isTransient(_ body: () throws(CommandError) -> Void) -> Bool {
        do throws(CommandError) {
            try body()
            return false
        } catch {
            return error.labels == ["TransientTransactionError"]
        }
    }

    /// With transaction 5 in the given state.
    private func session(_ end: SessionTransactions.CommitEnd? = nil) throws -> SessionTransactions {
        var session = SessionTransactions()
        #expect(try session.begins(5) == nil)
        session.began(5)
        if let end {
            #expect(try session.commits(5) == .commit)
            session.commitEnded(5, end)
        }
        return session
    }

    @Test("a transaction starts, goes on and commits, and a second commit succeeds again")
    func life() throws {
        var session = try session()
        #expect(session.state == .inProgress(5))
        try session.continues(5)
        #expect(try session.commits(5) == .commit)
        #expect(session.state == .committing(5))
        session.commitEnded(5, .committed)
        #expect(session.state == .committed(5))
        #expect(try session.commits(5) == .alreadyCommitted)
        #expect(code { () throws(CommandError) in try session.continues(5) } == 256)
        #expect(code { () throws(CommandError) in try session.aborts(5) } == 256)
    }

    @Test("asking whether a transaction may start changes nothing: it may be asked again")
    func askedTwice() throws {
        var session = SessionTransactions()
        #expect(try session.begins(1) == nil)
        #expect(try session.begins(1) == nil)
        #expect(session.state == .none)
    }

    @Test(
        "a transaction starts once",
        arguments: [nil, .committed, .aborted, .unknown] as [SessionTransactions.CommitEnd?])
    func startsOnce(_ end: SessionTransactions.CommitEnd?) throws {
        var session = try session(end)
        #expect(code { () throws(CommandError) in _ = try session.begins(5) } == 117)
    }

    @Test("a number below the newest is too old for everything")
    func tooOld() throws {
        var session = try session()
        #expect(code { () throws(CommandError) in _ = try session.begins(4) } == 225)
        #expect(code { () throws(CommandError) in try session.continues(4) } == 225)
        #expect(code { () throws(CommandError) in _ = try session.commits(4) } == 225)
        #expect(code { () throws(CommandError) in try session.aborts(4) } == 225)
        #expect(code { () throws(CommandError) in _ = try session.writesRetryably(4) } == 225)
        #expect(code { () throws(CommandError) in try session.recordFound(4, isCommitted: true) } == 225)
        #expect(!isTransient { () throws(CommandError) in try session.continues(4) })
        #expect(session.state == .inProgress(5))
    }

    @Test("a higher number ends the transaction in progress, and only that")
    func superseded() throws {
        var session = try session()
        #expect(try session.begins(6) == 5)
        #expect(session.state == .aborted(5))
        session.began(6)
        #expect(session.inProgress == 6)
        var committed = try self.session(.committed)
        #expect(try committed.begins(6) == nil)
        #expect(committed.state == .committed(5))
    }

    @Test("an aborted transaction does not exist any more: run it again")
    func aborted() throws {
        var session = try session()
        try session.aborts(5)
        #expect(session.state == .aborted(5))
        #expect(code { () throws(CommandError) in try session.aborts(5) } == 251)
        #expect(isTransient { () throws(CommandError) in try session.continues(5) })
        #expect(isTransient { () throws(CommandError) in _ = try session.commits(5) })
    }

    @Test("a statement that failed ends its transaction")
    func failed() throws {
        var session = try session()
        session.failed(4)
        #expect(session.state == .inProgress(5))
        session.failed(5)
        #expect(isTransient { () throws(CommandError) in _ = try session.commits(5) })
    }

    @Test("a commit that failed has aborted")
    func commitFailed() throws {
        var session = try session(.aborted)
        #expect(isTransient { () throws(CommandError) in _ = try session.commits(5) })
    }

    @Test("statements of a transaction that this server does not know: run it again")
    func unknownStatement() throws {
        var session = SessionTransactions()
        #expect(isTransient { () throws(CommandError) in try session.continues(1) })
        #expect(isTransient { () throws(CommandError) in try session.aborts(1) })
    }

    @Test("a commit that this server does not know is looked up")
    func unknownCommit() throws {
        var session = try session(.committed)
        #expect(try session.commits(6) == .lookUpRecord)
        #expect(session.state == .committed(5))
        try session.recordFound(6, isCommitted: true)
        #expect(try session.commits(6) == .alreadyCommitted)
        #expect(try session.commits(7) == .lookUpRecord)
        #expect(isTransient { () throws(CommandError) in try session.recordFound(7, isCommitted: false) })
        #expect(session.state == .aborted(7))
    }

    @Test("a commit of a number that was never begun here, while another transaction is in progress")
    func commitBeyond() throws {
        var session = try session()
        #expect(isTransient { () throws(CommandError) in _ = try session.commits(6) })
        #expect(session.state == .inProgress(5))
    }

    @Test("a commit whose answer was lost is looked up, and is no transaction to go on with")
    func lostAnswer() throws {
        var session = try session(.unknown)
        #expect(code { () throws(CommandError) in try session.continues(5) } == 256)
        #expect(code { () throws(CommandError) in try session.aborts(5) } == 256)
        #expect(try session.commits(5) == .lookUpRecord)
        try session.recordFound(5, isCommitted: true)
        #expect(session.state == .committed(5))
    }

    @Test("whoever ends transactions from outside comes too late for one that is being committed")
    func endedWhileCommitting() throws {
        var session = try session()
        _ = try session.commits(5)
        #expect(session.endedFromOutside() == nil)
        session.failed(5)
        #expect(session.state == .committing(5))
        session.commitEnded(5, .committed)
        #expect(session.state == .committed(5))
        #expect(session.endedFromOutside() == nil)
    }

    @Test("ended from outside, a transaction is aborted")
    func endedFromOutside() throws {
        var session = try session()
        #expect(session.endedFromOutside() == 5)
        #expect(session.endedFromOutside() == nil)
        #expect(isTransient { () throws(CommandError) in try session.continues(5) })
    }

    @Test("the end of a commit that is not under way changes nothing")
    func strayEnd() throws {
        var session = try session()
        session.commitEnded(5, .committed)
        #expect(session.state == .inProgress(5))
    }

    @Test("a retryable write ends a transaction in progress and shares its numbers")
    func retryableWrites() throws {
        var session = try session()
        #expect(code { () throws(CommandError) in _ = try session.writesRetryably(5) } == 72)
        #expect(try session.writesRetryably(6) == 5)
        #expect(session.state == .retryableWrite(6))
        #expect(try session.writesRetryably(6) == nil)
        #expect(code { () throws(CommandError) in _ = try session.begins(6) } == 117)
        #expect(isTransient { () throws(CommandError) in _ = try session.commits(6) })
        var committed = try self.session(.committed)
        #expect(code { () throws(CommandError) in _ = try committed.writesRetryably(5) } == 217)
    }
}
