import Foundation
import NIOCore
import Testing

@testable import BSON

/// The BSON corpus of https://github.com/mongodb/specifications. Set `MARTLET_SPECIFICATIONS` to a checkout to run it:
/// its files are not copied here.
private let corpus = ProcessInfo.processInfo.environment["MARTLET_SPECIFICATIONS"].map {
    URL(filePath: $0).appending(path: "source/bson-corpus/tests")
}

@Suite("BSON corpus", .enabled(if: corpus != nil, "MARTLET_SPECIFICATIONS is not set"))
struct CorpusTests {
    static let files: [String] =
        corpus.flatMap { try? FileManager.default.contentsOfDirectory(atPath: $0.path()) }?
        .filter { $0.hasSuffix(".json") }.sorted() ?? []

    @Test("valid documents pass, print and parse as specified", arguments: files)
    func valid(file: String) throws {
        for test in try tests(file, "valid") {
            let canonical = try #require(test["canonical_bson"].flatMap(bytes))
            #expect(isValid(canonical), "\(test)")
            try expectText(canonical, test)
            if let degenerate = test["degenerate_bson"].flatMap(bytes) {
                #expect(isValid(degenerate), "\(test)")
                try expectText(degenerate, test)
            }
            try expectParsed(canonical, test)
        }
    }

    private func expectText(_ bytes: [UInt8], _ test: [String: String]) throws {
        let document = Document(unchecked: ByteBuffer(bytes: bytes))
        let canonical = try #require(test["canonical_extjson"])
        #expect(try normalized(document.extendedJSON(.canonical)) == normalized(canonical), "\(test)")
        if let relaxed = test["relaxed_extjson"] {
            #expect(try normalized(document.extendedJSON(.relaxed)) == normalized(relaxed), "\(test)")
            let again = try Document(extendedJSON: relaxed).extendedJSON(.relaxed)
            #expect(try normalized(again) == normalized(relaxed), "\(test)")
        }
    }

    private func expectParsed(_ bytes: [UInt8], _ test: [String: String]) throws {
        guard test["lossy"] == nil else { return }
        for text in [test["canonical_extjson"], test["degenerate_extjson"]].compactMap({ $0 }) {
            let parsed = try Document(extendedJSON: text)
            #expect(Array(parsed.buffer.readableBytesView) == bytes, "\(test)")
        }
    }

    @Test("undecodable bytes are refused", arguments: files)
    func decodeErrors(file: String) throws {
        for test in try tests(file, "decodeErrors") {
            let bytes = try #require(test["bson"].flatMap(bytes))
            #expect(!isValid(bytes), "\(test)")
        }
    }

    @Test("unparsable text is refused", arguments: files)
    func parseErrors(file: String) throws {
        for test in try tests(file, "parseErrors") {
            let text = try #require(test["string"])
            if file.hasPrefix("decimal128") {
                #expect(Decimal128(text) == nil, "\(test)")
            } else {
                #expect(throws: ExtendedJSONError.self, "\(test)") { try Document(extendedJSON: text) }
            }
        }
    }

    private func tests(_ file: String, _ section: String) throws -> [[String: String]] {
        let url = try #require(corpus).appending(path: file)
        let root = try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any]
        let tests = root?[section] as? [[String: Any]] ?? []
        return tests.map { $0.compactMapValues { $0 as? String ?? ($0 as? NSNumber).map { "\($0)" } } }
    }

    private func bytes(_ hex: String) -> [UInt8]? { hexDecoded(hex, count: hex.utf8.count / 2) }

    private func isValid(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { (try? RawDocument.validate($0)) != nil }
    }

    /// White space, escapes and the spelling of doubles are free; names and values keep their order.
    private func normalized(_ text: String) throws -> String {
        var parser = JSONParser(text)
        return spell(try parser.document())
    }

    private func spell(_ json: JSON) -> String {
        switch json {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .number(let text): text.contains(where: ".eE".contains) ? "\(Double(text) ?? 0)" : text
        case .string(let text): text.debugDescription
        case .array(let items): "[\(items.map(spell).joined(separator: ","))]"
        case .object(let members):
            "{\(members.map { "\($0.name.debugDescription):\(spell($0))" }.joined(separator: ","))}"
        }
    }

    private func spell(_ member: JSON.Member) -> String {
        if member.name == "$numberDouble", case .string(let text) = member.value { return "\(Double(text) ?? 0)" }
        return spell(member.value)
    }
}
