import NIOCore
import Testing

@testable import Postgres
@testable import SQL

@Suite(.timeLimit(.minutes(20))) struct PipelineTests {
    private let select = "SELECT $1::int8"

    @Test("results come in the order of the statements, over many groups")
    func order() throws {
        let connection = try TestServer.connect()
        for group in 0..<50 {
            for number in 0..<10 { connection.enqueue(Statement(select, [.int8(Int64(group * 10 + number))])) }
            connection.enqueueSync()
        }
        for group in 0..<50 {
            for number in 0..<10 {
                #expect(try connection.next().int8(row: 0, column: 0) == Int64(group * 10 + number))
            }
            try connection.nextSync()
        }
        #expect(!connection.hasOutstandingResults)
    }

    @Test("an error undoes its own group and leaves the others alone")
    func errorIsolation() throws {
        let connection = try TestServer.connect()
        try connection.execute(script: "CREATE TABLE t (id int8 PRIMARY KEY)")
        let insert = "INSERT INTO t VALUES ($1)"
        for ids: [Int64] in [[1], [2, 1, 3], [4]] {
            for id in ids { connection.enqueue(Statement(insert, [.int8(id)])) }
            connection.enqueueSync()
        }
        #expect(try connection.next().affectedRows == 1)
        try connection.nextSync()

        #expect(try connection.next().affectedRows == 1)
        let violation = postgresError { _ = try connection.next() }
        #expect(violation?.kind == .server && violation?.category == .duplicateKey)
        #expect(violation?.constraint == "t_pkey" && violation?.table == "t")
        let skipped = postgresError { _ = try connection.next() }
        #expect(skipped?.kind == .pipelineAborted && skipped?.state == .uniqueViolation)
        #expect(postgresError { try connection.nextSync() }?.kind == .server)

        #expect(try connection.next().affectedRows == 1)
        try connection.nextSync()
        let ids = try connection.execute(.once("SELECT array_agg(id ORDER BY id)::text FROM t"))
        #expect(ids.text(row: 0, column: 0) == "{1,4}")
    }

    @Test("an error at commit is thrown by nextSync")
    func errorAtCommit() throws {
        let connection = try TestServer.connect()
        try connection.execute(script: "CREATE TABLE t (id int8 UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        let insert = Statement("INSERT INTO t VALUES (1)")
        connection.enqueue(insert)
        connection.enqueue(insert)
        connection.enqueueSync()
        connection.enqueue(insert)
        connection.enqueueSync()
        _ = try connection.next()
        _ = try connection.next()
        #expect(postgresError { try connection.nextSync() }?.state == .uniqueViolation)
        _ = try connection.next()
        try connection.nextSync()
        #expect(try connection.execute(.once("SELECT FROM t")).rowCount == 1)
    }

    @Test("results that nobody asked for are dropped at the end of the group, their error is not")
    func unreadResults() throws {
        let connection = try TestServer.connect()
        connection.enqueue(Statement(select, [.int8(1)]))
        connection.enqueue(.once("SELECT 1 / 0"))
        connection.enqueue(Statement(select, [.int8(2)]))
        connection.enqueueSync()
        #expect(postgresError { try connection.nextSync() }?.state == SQLState("22012"))
        #expect(try connection.execute(Statement(select, [.int8(3)])).int8(row: 0, column: 0) == 3)
    }

    @Test("a result can be read before the group is closed")
    func readBeforeSync() throws {
        let connection = try TestServer.connect()
        connection.enqueue(Statement(select, [.int8(1)]))
        #expect(try connection.next().int8(row: 0, column: 0) == 1)
        connection.enqueue(Statement(select, [.int8(2)]))
        connection.enqueueSync()
        #expect(try connection.next().int8(row: 0, column: 0) == 2)
        try connection.nextSync()
    }

    @Test("sending much while much comes back does not lock up")
    func bothDirectionsFull() throws {
        let connection = try TestServer.connect()
        let megabyte = ByteBuffer(repeating: 7, count: 1 << 20)
        for _ in 0..<60 {
            connection.enqueue(Statement("SELECT $1::bytea", [.bytea(megabyte)]))
            connection.enqueueSync()
        }
        for _ in 0..<60 {
            #expect(try connection.next().bytes(row: 0, column: 0)?.count == 1 << 20)
            try connection.nextSync()
        }
    }

    @Test("a statement too large to send fails its group and nothing else")
    func tooLarge() throws {
        let connection = try TestServer.connect()
        try connection.execute(script: "CREATE TABLE t (id int8)")
        let piece = ByteBuffer(repeating: 0, count: 16 << 20)
        connection.enqueue(Statement("INSERT INTO t VALUES (1)"))
        connection.enqueue(Statement("SELECT $1::bytea[]", [.byteaArray(Array(repeating: piece, count: 70))]))
        connection.enqueueSync()
        _ = try connection.next()
        #expect(postgresError { _ = try connection.next() }?.state == .programLimitExceeded)
        #expect(postgresError { try connection.nextSync() } != nil)
        #expect(try connection.execute(.once("SELECT FROM t")).rowCount == 0)
    }

    @Test("a cursor takes parameters, and pipelined FETCHes bring its rows in binary")
    func cursor() throws {
        let connection = try TestServer.connect()
        connection.enqueue(.once("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        connection.enqueue(
            .once(
                "DECLARE c NO SCROLL CURSOR FOR SELECT n FROM generate_series($1::int8, $2) AS n",
                [.int8(1), .int8(5)]))
        connection.enqueueSync()
        for _ in 0..<3 {
            connection.enqueue(Statement("FETCH 2 FROM c"))
            connection.enqueueSync()
        }
        connection.enqueue(.once("COMMIT"))
        connection.enqueueSync()
        try connection.nextSync()
        var numbers: [Int64?] = []
        for _ in 0..<3 {
            let rows = try connection.next()
            for row in 0..<rows.rowCount {
                #expect(rows.bytes(row: row, column: 0)?.count == 8)
                numbers.append(rows.int8(row: row, column: 0))
            }
            try connection.nextSync()
        }
        try connection.nextSync()
        #expect(numbers == [1, 2, 3, 4, 5])
        #expect(!connection.isInTransaction)
    }

    @Test("a script of several statements runs as one, and the pipeline goes on after it")
    func script() throws {
        let connection = try TestServer.connect()
        try connection.execute(script: "CREATE TABLE a (); CREATE TABLE b (); SELECT 1;")
        #expect(try connection.execute(Statement(select, [.int8(1)])).int8(row: 0, column: 0) == 1)
        let error = postgresError { try connection.execute(script: "CREATE TABLE c (); SELECT broken;") }
        #expect(error?.state == .undefinedColumn)
        let tables = try connection.execute(.once("SELECT FROM pg_tables WHERE tablename IN ('a', 'b', 'c')"))
        #expect(tables.rowCount == 2)
    }

    @Test("restoreIdle drops results and transactions that were left behind")
    func restoreIdle() throws {
        let connection = try TestServer.connect()
        connection.enqueue(.once("BEGIN"))
        connection.enqueueSync()
        connection.enqueue(.once("SELECT broken"))
        #expect(connection.restoreIdle())
        #expect(!connection.isInTransaction && !connection.hasOutstandingResults)
        connection.enqueue(.once("BEGIN"))
        connection.enqueueSync()
        #expect(connection.restoreIdle(keepingTransaction: true))
        #expect(connection.isInTransaction)
    }
}
