import BSON
import CommandModel
import Query
import Testing

@testable import Storage

@Suite("Duplicate keys")
struct DuplicateKeyTests {
    private static let table: [(options: String, document: String, message: String)] = [
        (
            #"{"key":{"a":1}}"#, #"{"a":5,"b":6}"#,
            "E11000 duplicate key error collection: d.c index: i dup key: { a: 5 }"
        ),
        (
            #"{"key":{"a.b":1,"c":-1}}"#, #"{"a":{"b":"x"}}"#,
            #"E11000 duplicate key error collection: d.c index: i dup key: { a.b: "x", c: null }"#
        ),
        (
            #"{"key":{"a":1,"b":1},"collation":{"locale":"en","strength":1,"caseLevel":false}}"#, #"{"a":"x","b":1}"#,
            "E11000 duplicate key error collection: d.c index: i collation: { locale: \"en\", caseLevel: false, "
                + "caseFirst: \"off\", strength: 1, numericOrdering: false, alternate: \"non-ignorable\", "
                + "maxVariable: \"punct\", normalization: false, backwards: false, version: \"57.1\" } dup key: "
                + "{ a: \"CollationKey(0xKEY)\", b: 1 }"
        ),
    ]

    @Test("the error names the index and shows the key", arguments: table)
    func message(options: String, document: String, message: String) throws {
        let document = try Document(extendedJSON: document)
        let index = try IndexDefinition(
            Document(extendedJSON: #"{"v":2,"name":"i","unique":true,\#(options.dropFirst())"#))
        let error = try document.withRaw { raw throws(CommandError) in
            let key = try index.keys(of: raw).keys[0]
            return CommandError.duplicateKey(
                in: Namespace(database: "d", collection: "c"), index: index.name, collator: index.collator,
                pattern: index.keyPattern, values: index.keyValue(of: raw, for: key))
        }
        #expect(error.code == .duplicateKey)
        // Which bytes they are depends on the data of ICU.
        let shown = index.collator.map { collator in
            var key: [UInt8] = []
            "x".utf8.withContiguousStorageIfAvailable {
                collator.appendKey(of: UnsafeRawBufferPointer($0), to: &key)
            }
            return message.replacing("KEY", with: key.dropLast().withUnsafeBytes(hexEncoded))
        }
        #expect(error.message == shown ?? message)
        let details = try #require(error.details)
        #expect(details.withRaw { $0["keyPattern"]?.document.map(Document.init(copying:)) } == index.keyPattern)
        #expect(details.withRaw { $0["keyValue"]?.document?.elementCount } == index.fields.count)
    }
}
