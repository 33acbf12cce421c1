import BSON
import CommandModel
import Testing

@testable import Query

@Suite("$geoNear") struct GeoNearStageTests {
    private static let places = [
        #"{"_id": 3, "at": {"type": "Point", "coordinates": [3, 0]}, "kind": "a"}"#,
        #"{"_id": 1, "at": {"type": "Point", "coordinates": [1, 0]}, "kind": "b"}"#,
        #"{"_id": 0, "nowhere": true}"#,
        #"{"_id": 2, "at": {"type": "Point", "coordinates": [2, 0]}, "kind": "a", "told": [5]}"#,
    ]
    private static let near = #""near": {"type": "Point", "coordinates": [0, 0]}, "key": "at", "spherical": true"#

    private func compile(_ stages: String) throws -> CompiledPipeline {
        try Document(extendedJSON: #"{"stages": \#(stages)}"#).withRaw { raw in
            try PipelineCompiler(in: ExpressionEnvironment(now: 0)).compile(try #require(raw["stages"]?.array))
        }
    }

    private func run(_ options: String) throws -> [Document] {
        let stage = try #require(try compile(#"[{"$geoNear": {\#(options)}}]"#).pipeline.stages.first)
        let run = stage.makeRun(StageLimits())
        var (position, output) = (0, Batch())
        try run.process(Batch(Self.places.map { try Document(extendedJSON: $0) }), from: &position, into: &output)
        try run.finish(into: &output)
        return output.documents
    }

    private func ids(_ documents: [Document]) -> [Int32] {
        documents.compactMap { document in document.withRaw { $0["_id"]?.number?.asInt64Exact.map { Int32($0) } } }
    }

    @Test(
        "the nearest come first, as far away as they may be, and what the query takes",
        arguments: [
            ("", [1, 2, 3]), (#", "maxDistance": 222638"#, [1, 2]), (#", "minDistance": 222637"#, [2, 3]),
            (#", "query": {"kind": "a"}"#, [2, 3]), (#", "minDistance": {"$add": [222637, 100000]}"#, [3]),
            (#", "minDistance": 2, "maxDistance": 1"#, []),
        ] as [(String, [Int32])])
    func order(options: String, expected: [Int32]) throws {
        #expect(ids(try run(Self.near + options)) == expected)
    }

    @Test("distance and location are told where they are wanted, with documents on the way")
    func told() throws {
        let options = Self.near + #", "distanceField": "told.far", "includeLocs": "told.at", "distanceMultiplier": 2"#
        for document in try run(options) {
            let (distance, place) = document.withRaw { raw in
                let told = raw["told"]?.document
                return (told?["far"]?.number?.asDouble, told?["at"]?.document?["coordinates"]?.array?.elementCount)
            }
            let id = Double(try #require(ids([document]).first))
            #expect(abs((distance ?? 0) - 2 * id * 111_318.845) < 1)
            #expect(place == 2)
        }
    }

    @Test(
        "what MongoDB refuses",
        arguments: [
            (#"[{"$geoNear": 1}]"#, 10065), (#"[{"$geoNear": {}}]"#, 5_860_400),
            (#"[{"$geoNear": {"near": null}}]"#, 5_860_401), (#"[{"$geoNear": {"near": "$at"}}]"#, 5_860_402),
            (#"[{"$geoNear": {"near": [1]}}]"#, 2), (#"[{"$geoNear": {"near": [1, 2, 3, 4]}}]"#, 2),
            (#"[{"$geoNear": {"near": [0, 0], "distanceField": 1}}]"#, 16606),
            (#"[{"$geoNear": {"near": [0, 0], "distanceField": ""}}]"#, 40352),
            (#"[{"$geoNear": {"near": [0, 0], "distanceField": "$a"}}]"#, 16410),
            (#"[{"$geoNear": {"near": [0, 0], "includeLocs": 1}}]"#, 16607),
            (#"[{"$geoNear": {"near": [0, 0], "key": 1}}]"#, 14), (#"[{"$geoNear": {"near": [0, 0], "key": ""}}]"#, 2),
            (#"[{"$geoNear": {"near": [0, 0], "maxDistance": -1}}]"#, 2),
            (#"[{"$geoNear": {"near": [0, 0], "maxDistance": "$a"}}]"#, 7_555_702),
            (#"[{"$geoNear": {"near": [0, 0], "minDistance": "$a"}}]"#, 7_555_701),
            (#"[{"$geoNear": {"near": [0, 0], "minDistance": null}}]"#, 14),
            (#"[{"$geoNear": {"near": [0, 0], "distanceMultiplier": -1}}]"#, 2),
            (#"[{"$geoNear": {"near": [0, 0], "query": 1}}]"#, 14),
            (#"[{"$geoNear": {"near": [0, 0], "query": {"a": {"$near": [0, 0]}}}}]"#, 5_626_500),
            (#"[{"$geoNear": {"near": [0, 0], "bogus": 1}}]"#, 2),
            (#"[{"$match": {"a": 1}}, {"$geoNear": {"near": [0, 0]}}]"#, 40603),
        ] as [(String, Int32)])
    func refused(stages: String, code: Int32) throws {
        let error = #expect(throws: CommandError.self) { try compile(stages) }
        #expect(error?.code.number == code)
    }

    @Test("an empty $match before it does not count")
    func afterEmptyMatch() throws {
        #expect(
            try compile(#"[{"$match": {}}, {"$geoNear": {"near": [0, 0], "key": "at"}}]"#).pipeline.stages.count == 1)
    }
}
