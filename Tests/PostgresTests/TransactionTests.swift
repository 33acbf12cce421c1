import Testing

@testable import Postgres
@testable import SQL

@Suite(.timeLimit(.minutes(20))) struct TransactionTests {
    private let insert = "INSERT INTO t VALUES ($1)"

    private func connect() throws -> (Connection, beside: Connection) {
        let options = try TestServer.options()
        let connection = try Connection.connect(options)
        try connection.execute(script: "CREATE TABLE t (id int8 PRIMARY KEY)")
        return (connection, try Connection.connect(options))
    }

    private func rows(_ connection: Connection) throws -> Int64? {
        try connection.execute(Statement("SELECT count(*) FROM t")).int8(row: 0, column: 0)
    }

    @Test("a transaction begins with its first statement, spans groups, and commits")
    func commit() throws {
        let (connection, beside) = try connect()
        connection.begin("BEGIN ISOLATION LEVEL REPEATABLE READ")
        #expect(
            try connection.execute(Statement("SHOW transaction_isolation")).text(row: 0, column: 0) == "repeatable read"
        )
        connection.enqueue(Statement(insert, [.int8(1)]))
        connection.enqueueSync()
        try connection.nextSync()
        #expect(connection.isTransactionOpen && connection.isInTransaction)
        #expect(try rows(beside) == 0)
        try connection.commit(after: [Statement(insert, [.int8(2)])])
        #expect(!connection.isTransactionOpen && !connection.isInTransaction)
        #expect(try rows(beside) == 2)
    }

    @Test("a BEGIN that fails takes the statements of its group with it")
    func badBegin() throws {
        let (connection, beside) = try connect()
        connection.begin("BEGIN ISOLATION LEVEL NONE OF THESE")
        connection.enqueue(Statement(insert, [.int8(1)]))
        connection.enqueueSync()
        let error = postgresError { _ = try connection.next() }
        #expect(error?.kind == .pipelineAborted && error?.state == .syntaxError)
        #expect(postgresError { try connection.nextSync() }?.kind == .server)
        #expect(try rows(beside) == 0)
        #expect(connection.restoreIdle() && !connection.isTransactionOpen)
    }

    @Test("a transaction of nothing but BEGIN is ended")
    func onlyBegin() throws {
        let (connection, _) = try connect()
        connection.begin("BEGIN")
        #expect(connection.restoreIdle(keepingTransaction: true))
        #expect(connection.isInTransaction && connection.isTransactionOpen)
        #expect(connection.restoreIdle())
        #expect(!connection.isInTransaction)
    }

    @Test("the commit of a failed transaction is no commit")
    func commitOfFailed() throws {
        let (connection, beside) = try connect()
        connection.begin("BEGIN")
        _ = try connection.execute(Statement(insert, [.int8(1)]))
        #expect(postgresError { _ = try connection.execute(Statement(insert, [.int8(1)])) }?.category == .duplicateKey)
        #expect(connection.isTransactionFailed)
        let error = postgresError { try connection.commit() }
        #expect(error?.state == .inFailedSQLTransaction && error?.mayHaveTakenEffect == false)
        #expect(!connection.isInTransaction)
        #expect(try rows(beside) == 0)
    }

    @Test("a statement that fails beside COMMIT prevents it")
    func failedRecord() throws {
        let (connection, beside) = try connect()
        connection.begin("BEGIN")
        _ = try connection.execute(Statement(insert, [.int8(1)]))
        #expect(
            postgresError { try connection.commit(after: [Statement(insert, [.int8(1)])]) }?.category == .duplicateKey)
        #expect(!connection.isInTransaction)
        #expect(try rows(beside) == 0)
    }

    @Test("a connection lost under COMMIT leaves the outcome open; lost before, nothing was sent")
    func lost() throws {
        let (connection, beside) = try connect()
        let pid = connection.backendPID
        connection.begin("BEGIN")
        _ = try connection.execute(Statement(insert, [.int8(1)]))
        _ = try beside.execute(Statement("SELECT pg_terminate_backend($1, 10000)", [.int4(pid)]))
        #expect(postgresError { try connection.commit() }?.mayHaveTakenEffect == true)
        let again = postgresError { try connection.commit() }
        #expect(again?.kind == .connectionFailed && again?.mayHaveTakenEffect == false)
        #expect(try rows(beside) == 0)
    }
}
