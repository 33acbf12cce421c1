import BSON
import CommandModel
import Storage
import Testing

@testable import Commands

@Suite("Buckets of a time series")
struct BucketDocumentTests {
    private func measurements(_ bucket: String, meta: String? = "m") throws -> [String] {
        let metaField = meta.map { #", "metaField": "\#($0)""# } ?? ""
        let options = try Document(extendedJSON: #"{"timeseries": {"timeField": "t"\#(metaField)}}"#)
        guard case .timeseries(let fields) = CollectionKind(options) else { throw CommandError(.badValue, "no series") }
        return try Document(extendedJSON: bucket).withRaw {
            try BucketDocument.measurements(in: $0, fields).map { $0.extendedJSON(.relaxed) }
        }
    }

    @Test("columns become measurements")
    func columns() throws {
        let bucket = #"""
            {"control": {"version": 1}, "meta": {"a": 1},
             "data": {"_id": {"0": 7, "1": 8}, "t": {"0": 1, "1": 2}, "x": {"1": 5}}}
            """#
        #expect(
            try measurements(bucket) == [
                #"{"_id":7,"t":1,"m":{"a":1}}"#, #"{"_id":8,"t":2,"m":{"a":1},"x":5}"#,
            ])
        #expect(try measurements(bucket, meta: nil).first == #"{"_id":7,"t":1}"#)
    }

    @Test(
        "what is no bucket is refused",
        arguments: [
            (#"{}"#, 2), (#"{"control": {"version": 1}, "data": {}}"#, 2),
            (#"{"control": {"version": 1}, "data": {"t": {"0": 1}, "x": 1}}"#, 2),
            (#"{"control": {"version": 1}, "data": {"t": {"0": 1}, "x": {"1": 1}}}"#, 2),
            (#"{"control": {"version": 2}, "data": {"t": {"$binary": {"base64": "AA==", "subType": "07"}}}}"#, 238),
            (#"{"control": {"version": 1}, "data": {"t": 5}}"#, 238),
        ] as [(String, Int32)])
    func refusals(bucket: String, code: Int32) throws {
        let error = #expect(throws: CommandError.self) { _ = try measurements(bucket) }
        #expect(error?.code.number == code)
    }
}
