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

    @Test(
        "what MongoDB refuses",
        arguments: [
            ("1", #"{"$currentOp": {}}, {"$currentOp": {}}"#, 40602), ("1", #"{"$currentOp": {"allUsers": 1}}"#, 14),
            ("1", #"{"$currentOp": {"targetAllNodes": true}}"#, 9), ("1", #"{"$currentOp": {"other": 1}}"#, 40415),
            (#""c""#, #"{"$currentOp": {}}"#, 73), ("1", #"{"$indexStats": {}}"#, 73), ("1", #"{"$match": {}}"#, 73),
            (#""c""#, #"{"$documents": []}"#, 73), (#""c""#, #"{"$indexStats": {"a": 1}}"#, 28803),
            (#""c""#, #"{"$collStats": 1}"#, 5_447_000), (#""c""#, #"{"$collStats": {"count": {"a": 1}}}"#, 31170),
            (#""c""#, #"{"$planCacheStats": {"allHosts": true}}"#, 4_503_200),
            (#""c""#, #"{"$collStats": {"storageStats": {"scale": 0}}}"#, 2),
            ("1", #"{"$listLocalSessions": {"users": [{"user": "a"}]}}"#, 40414),
            ("1", #"{"$listLocalSessions": {"users": [{"user": "a", "db": "b"}], "allUsers": true}}"#, 12),
            (#""c""#, #"{"$listClusterCatalog": {}}"#, 9_621_301), ("1", #"{"$querySettings": 1}"#, 7_746_800),
            (#""c""#, #"{"$search": {}}"#, 31082), (#""c""#, #"{"$match": {}}, {"$search": {}}"#, 40602),
            (#""c""#, #"{"$facet": {"a": [{"$listClusterCatalog": {}}]}}"#, 9_621_301),
            (#""c""#, #"{"$facet": {"a": [{"$listLocalSessions": {}}]}}"#, 73),
            (#""c""#, #"{"$facet": {"a": [{"$collStats": {}}]}}"#, 40600),
            (#""c""#, #"{"$changeStream": {}}"#, 40573), (#""c""#, #"{"$changeStream": 1}"#, 6_188_500),
        ] as [(String, String, Int32)])
    func refused(target: String, stages: String, code: Int32) async throws {
        let command = #"{"aggregate": \#(target), "pipeline": [\#(stages)], "cursor": {}}"#
        #expect(try await server.failure(command)?.code.number == code)
    }
}
