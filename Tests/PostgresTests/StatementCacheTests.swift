import Testing

@testable import Postgres
@testable import SQL

@Suite(.timeLimit(.minutes(20))) struct StatementCacheTests {
    private func preparedCount(_ connection: Connection) throws -> Int64? {
        try connection.execute(.once("SELECT count(*) FROM pg_prepared_statements")).int8(row: 0, column: 0)
    }

    @Test("the server holds no more plans than the connection may keep, the latest used")
    func eviction() throws {
        var options = try TestServer.options()
        options.preparedStatementsMax = 3
        let connection = try Connection.connect(options)
        for number in 0..<20 {
            _ = try connection.execute(Statement("SELECT \(number)"))
            _ = try connection.execute(Statement("SELECT 'often'"))
        }
        #expect(try preparedCount(connection) == 3)
        let kept = try connection.execute(
            .once("SELECT FROM pg_prepared_statements WHERE statement IN ('SELECT 19', 'SELECT ''often''')"))
        #expect(kept.rowCount == 2)
    }

    @Test("evicting what the same pipeline still runs is harmless")
    func evictionUnderWay() throws {
        var options = try TestServer.options()
        options.preparedStatementsMax = 2
        let connection = try Connection.connect(options)
        for number in 0..<30 {
            connection.enqueue(Statement("SELECT \(number % 7)::int8"))
            if number % 3 == 2 { connection.enqueueSync() }
        }
        for number in 0..<30 {
            #expect(try connection.next().int8(row: 0, column: 0) == Int64(number % 7))
            if number % 3 == 2 { try connection.nextSync() }
        }
        #expect(try preparedCount(connection) == 2)
    }

    @Test("a statement that cannot be prepared reports its own error, and is prepared once it can be")
    func failedPrepare() throws {
        let connection = try TestServer.connect()
        let select = Statement("SELECT * FROM late")
        for _ in 0..<3 {
            connection.enqueue(select)
            connection.enqueueSync()
        }
        for _ in 0..<3 {
            let error = postgresError { _ = try connection.next() }
            #expect(error?.kind == .server && error?.category == .missingObject)
            #expect(postgresError { try connection.nextSync() } != nil)
        }
        try connection.execute(script: "CREATE TABLE late (); INSERT INTO late DEFAULT VALUES")
        #expect(try connection.execute(select).rowCount == 1)
        #expect(try preparedCount(connection) == 1)
    }

    @Test("a group after one that failed before its Parse does not rely on the name")
    func skippedPrepare() throws {
        let connection = try TestServer.connect()
        connection.enqueue(.once("SELECT 1 / 0"))
        connection.enqueue(Statement("SELECT 5::int8"))
        connection.enqueueSync()
        connection.enqueue(Statement("SELECT 5::int8"))
        connection.enqueueSync()
        #expect(postgresError { try connection.nextSync() }?.state == SQLState("22012"))
        #expect(try connection.next().int8(row: 0, column: 0) == 5)
        try connection.nextSync()
    }

    @Test("a plan whose columns changed is made anew")
    func stalePlan() throws {
        let connection = try TestServer.connect()
        try connection.execute(script: "CREATE TABLE t (a int8); INSERT INTO t VALUES (1)")
        let select = Statement("SELECT * FROM t")
        #expect(try connection.execute(select).columnCount == 1)
        try connection.execute(script: "ALTER TABLE t ADD b int8")
        #expect(try connection.execute(select).columnCount == 2)

        try connection.execute(script: "ALTER TABLE t ADD c int8")
        connection.enqueue(select)
        connection.enqueueSync()
        #expect(postgresError { _ = try connection.next() }?.category == .stalePlan)
        #expect(postgresError { try connection.nextSync() }?.isStalePlan == true)
        connection.enqueue(select)
        connection.enqueueSync()
        #expect(try connection.next().columnCount == 3)
        try connection.nextSync()
    }

    @Test("a server that forgot all plans is told them again")
    func discardedPlans() throws {
        let connection = try TestServer.connect()
        let select = Statement("SELECT 1::int8")
        _ = try connection.execute(select)
        try connection.execute(script: "DISCARD ALL")
        #expect(try connection.execute(select).int8(row: 0, column: 0) == 1)
    }

    @Test("one text with other types is prepared for these")
    func otherTypes() throws {
        let connection = try TestServer.connect()
        let text = "SELECT pg_typeof($1)::text"
        for (parameter, type) in [
            (Parameter.int8(1), "bigint"), (.text("a"), "text"), (.null(), "text"), (.bool(true), "boolean"),
        ] {
            #expect(try connection.execute(Statement(text, [parameter])).text(row: 0, column: 0) == type)
        }
        #expect(try preparedCount(connection) == 1)
    }
}
