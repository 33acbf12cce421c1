import BSON
import CommandModel
import Storage
import Testing

@testable import Commands

@Suite("stages that tell what the server knows")
struct ServerSourceTests {
    private let server: TestServer

    init() throws {
        server = try TestServer()
    }

    private func aggregate(
        _ target: String, _ stages: String, database: String = "admin", _ more: String = ""
    ) async throws -> Document {
        try await server.run(
            #"{"aggregate": \#(target), "pipeline": [\#(stages)], "cursor": {}\#(more)}"#, database: database)
    }

    @Test("$currentOp shows what currentOp does, idle connections and cursors when they are asked for")
    func operations() async throws {
        let operations = server.state.operations
        operations.opened(server.context.connection)
        let nothing = try await aggregate("1", #"{"$currentOp": {}}"#)
        #expect(nothing["cursor.firstBatch"] == "[]")
        let idle = try await aggregate("1", #"{"$currentOp": {"idleConnections": true}}"#)
        #expect(idle["cursor.firstBatch.0.active"] == "false")
        let long = String(repeating: "x", count: 2 * OperationReport.commandBytesMax)
        let find = try TestServer.request(#"{"find": "goods", "filter": {"a": "\#(long)"}}"#, database: "shop")
        _ = operations.begin(find, on: server.context.connection)
        let whole = try await aggregate("1", #"{"$currentOp": {}}, {"$match": {"ns": "shop.goods"}}"#)
        #expect(whole["cursor.firstBatch.0.command.filter.a"] == "\"\(long)\"")
        let cut = try await aggregate("1", #"{"$currentOp": {"truncateOps": true}}"#)
        #expect(cut["cursor.firstBatch.0.command.filter"] == nil)
        #expect(cut["cursor.firstBatch.0.command.$truncated"] != nil)
    }

    @Test("$listLocalSessions lists the sessions; nobody has any under a user's name")
    func sessions() async throws {
        server.state.sessions.touch(LogicalSessionID(uuid: [UInt8](repeating: 7, count: 16)))
        let all = try await aggregate("1", #"{"$listLocalSessions": {}}, {"$count": "n"}"#)
        #expect(all["cursor.firstBatch.0.n"] == "1")
        let some = try await aggregate(
            "1", #"{"$listLocalSessions": {"users": [{"user": "ann", "db": "shop"}]}}, {"$count": "n"}"#)
        #expect(some["cursor.firstBatch"] == "[]")
    }

    @Test("$collStats, $indexStats, $planCacheStats and $listClusterCatalog tell of a collection")
    func collection() async throws {
        _ = try await server.run(#"{"create": "told"}"#, database: "facts")
        _ = try await server.run(#"{"insert": "told", "documents": [{"_id": 1}, {"_id": 2}]}"#, database: "facts")
        let statistics = try await aggregate(
            #""told""#, #"{"$collStats": {"count": {}, "storageStats": {"scale": 2}}}"#, database: "facts")
        #expect(statistics["cursor.firstBatch.0.count"] == "2")
        #expect(statistics["cursor.firstBatch.0.ns"] == #""facts.told""#)
        #expect(statistics["cursor.firstBatch.0.storageStats.scaleFactor"] == "2")
        #expect(statistics["cursor.firstBatch.0.storageStats.size"] == "14")
        let indexes = try await aggregate(#""told""#, #"{"$indexStats": {}}"#, database: "facts")
        #expect(indexes["cursor.firstBatch.0.name"] == #""_id_""#)
        #expect(indexes["cursor.firstBatch.1"] == nil)
        let plans = try await aggregate(#""told""#, #"{"$planCacheStats": {}}"#, database: "facts")
        #expect(plans["cursor.firstBatch"] == "[]")
        let catalog = try await aggregate("1", #"{"$listClusterCatalog": {}}"#, database: "facts")
        #expect(catalog["cursor.firstBatch.0.ns"] == #""facts.told""#)
        #expect(catalog["cursor.firstBatch.0.sharded"] == "false")
    }

    @Test(
        "what MongoDB refuses",
        arguments: [
            ("1", #"{"$currentOp": {}}, {"$currentOp": {}}"#, 40602), ("1", #"{"$currentOp": {"allUsers": 1}}"#, 14),
            ("1", #"{"$currentOp": {"targetAllNodes": true}}"#, 9), ("1", #"{"$currentOp": {"other": 1}}"#, 40415),
            (#""c""#, #"{"$currentOp": {}}"#, 73), ("1", #"{"$indexStats": {}}"#, 73), ("1", #"{"$match": {}}"#, 73),
            (#""c""#, #"{"$documents": []}"#, 73), (#""c""#, #"{"$indexStats": {"a": 1}}"#, 28803),
            (#""c""#, #"{"$collStats": 1}"#, 5_447_000), (#""c""#, #"{"$collStats": {"count": {"a": 1}}}"#, 31170),
            (#""c""#, #"{"$collStats": {"count": {}}}"#, 26), (#""c""#, #"{"$planCacheStats": {}}"#, 50933),
            (#""c""#, #"{"$planCacheStats": {"allHosts": true}}"#, 4_503_200),
            (#""c""#, #"{"$collStats": {"storageStats": {"scale": 0}}}"#, 2),
            ("1", #"{"$listLocalSessions": {"users": [{"user": "a"}]}}"#, 40414),
            ("1", #"{"$listLocalSessions": {"users": [{"user": "a", "db": "b"}], "allUsers": true}}"#, 12),
            (#""c""#, #"{"$listClusterCatalog": {}}"#, 9_621_301), ("1", #"{"$querySettings": 1}"#, 7_746_800),
            (#""c""#, #"{"$search": {}}"#, 31082), (#""c""#, #"{"$match": {}}, {"$search": {}}"#, 40602),
            (#""c""#, #"{"$changeStream": {}}"#, 40573), (#""c""#, #"{"$changeStream": 1}"#, 6_188_500),
            (#""c""#, #"{"$geoNear": {"near": [0, 0]}}"#, 26),
        ] as [(String, String, Int32)])
    func refused(target: String, stages: String, code: Int32) async throws {
        let command = #"{"aggregate": \#(target), "pipeline": [\#(stages)], "cursor": {}}"#
        #expect(try await server.failure(command)?.code.number == code)
    }
}
