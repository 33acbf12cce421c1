import BSON
import CommandModel
import Query

@testable import Storage

/// What a client may ask for, with an answer that can be compared.
enum RandomOperation: Sendable {
    case insert(Document)
    case bulkInsert([Document], ordered: Bool)
    case one(DocumentOperation, sort: SortPattern?)
    case many(DocumentOperation)

    /// The answer, as text.
    func run(on store: DocumentStore, in collection: Storage.Collection) async -> String {
        do throws(StorageError) {
            switch self {
            case .insert(let document):
                return Self.text(
                    try await store.insert([document], statements: [0], into: collection, isOrdered: true))
            case .bulkInsert(let documents, let ordered):
                return Self.text(
                    try await store.insert(
                        documents, statements: documents.indices.map(Int32.init), into: collection,
                        isOrdered: ordered))
            case .one(let operation, let sort):
                return try await store.modifyOne(
                    operation, statement: 0, in: collection, sort: sort, deadline: .never
                ).text
            case .many(let operation):
                return try await store.modifyMany(operation, statement: 0, in: collection, deadline: .never).text
            }
        } catch {
            // PostgreSQL's own errors are no part of any result: they tell what went wrong.
            guard case .command(let refusal) = error else { return "\(error)" }
            return refusal.description
        }
    }

    static func text(_ errors: [(index: Int, error: CommandError)]) -> String {
        "inserted but " + errors.map { "\($0.index): \($0.error.code.number)" }.joined(separator: ", ")
    }
}

extension WriteTally {
    var text: String {
        let upserted = upsertedID.map { id in Document { $0.append("_id", id) }.text } ?? "-"
        return "\(matched) \(modified) \(upserted) \(image?.text ?? "-")"
    }
}

/// Random operations on documents of one group alone: their `_id`s and their field `g` say so.
struct RandomOperations {
    let group: Int
    private var random: SeededGenerator
    private var made = 0

    init(group: Int, seed: UInt64) {
        self.group = group
        random = SeededGenerator(seed: seed &+ UInt64(group) &* 7919)
    }

    mutating func next() throws -> RandomOperation {
        made += 1
        switch Int.random(in: 0..<14, using: &random) {
        case 0: return .insert(document())
        case 1, 2: return .bulkInsert((0..<3).map { _ in document() }, ordered: Bool.random(using: &random))
        case 3, 4: return .one(try update("{\"_id\": \(id())}"), sort: nil)
        case 5: return .one(try update("{\"_id\": \(id()), \"g\": \(group)}", upsert: true), sort: nil)
        // Its `_id` is an ObjectId, which no other group makes.
        case 6: return .one(try update("{\"g\": \(group), \"n\": \(small())}", upsert: true), sort: nil)
        case 7: return .one(try update(byFilter()), sort: nil)
        case 8: return .one(try update(byFilter()), sort: try SortPattern(compiling: json(#"{"n": -1, "_id": 1}"#)))
        case 9: return .many(try update(byFilter(), multi: true))
        case 10: return .many(try update("{\"g\": \(group), \"n\": \(small())}", upsert: true, multi: true))
        case 11: return .one(operation("{\"_id\": \(id())}", try replacement()), sort: nil)
        case 12: return .one(operation(oneOf("{\"_id\": \(id())}", byFilter()), .delete), sort: nil)
        default: return .many(operation("{\"g\": \(group), \"n\": \(small())}", .delete, image: .none))
        }
    }

    private mutating func small() -> Int { Int.random(in: 0..<5, using: &random) }
    private mutating func id() -> Int { group * 10 + Int.random(in: 0..<4, using: &random) }
    private mutating func byFilter() -> String { "{\"g\": \(group), \"n\": {\"$gte\": \(small())}}" }
    private mutating func oneOf(_ first: String, _ second: String) -> String {
        Bool.random(using: &random) ? first : second
    }

    private mutating func document() -> Document {
        json("{\"_id\": \(id()), \"g\": \(group), \"n\": \(small())}")
    }

    private mutating func replacement() throws -> DocumentOperation.Action {
        .update(
            try UpdateProgram(
                compiling: .document(json("{\"g\": \(group), \"n\": \(small())}")), multi: false, isUpsert: false))
    }

    private mutating func update(
        _ filter: String, upsert: Bool = false, multi: Bool = false
    ) throws -> DocumentOperation {
        let text =
            [
                "{\"$inc\": {\"n\": \(small() - 2)}}", "{\"$push\": {\"list\": \(small())}}",
                "{\"$addToSet\": {\"list\": \(small())}}", #"{"$inc": {"list": 1}}"#,
                "{\"$set\": {\"m\": \(small()), \"x\": null}}", #"{"$unset": {"x": ""}}"#,
            ].randomElement(using: &random) ?? "{}"
        let program = try UpdateProgram(compiling: .document(json(text)), multi: multi, isUpsert: upsert)
        return operation(filter, .update(program), upsert: upsert, image: multi ? DocumentOperation.Image.none : nil)
    }

    private mutating func operation(
        _ filter: String, _ action: DocumentOperation.Action, upsert: Bool = false,
        image: DocumentOperation.Image? = nil
    ) -> DocumentOperation {
        let images: [DocumentOperation.Image] = [.none, .before, .after]
        let compiled: Filter
        do { compiled = try Filter(compiling: json(filter)) } catch { compiled = .everything }
        return DocumentOperation(
            on: namespace(), filter: compiled, action: action,
            upsertID: upsert ? ObjectID(high: UInt64(group + 1), low: UInt32(made)) : nil,
            image: image ?? images.randomElement(using: &random) ?? .none)
    }
}
