internal import CommandModel
internal import Query

extension StorageEngine {
    /// Each time the catalog learns a fact, of which there are few.
    private static let factsRoundsMax = 100

    /// Runs `body`, again with the collection's new entry when a document brings facts to its indexes that the catalog
    /// does not know. `body` must have done nothing by then.
    ///
    /// Plans rely on facts (that an index has one key for each document, for instance), so the catalog must have them
    /// before the first document that needs them is there; which is why a document cannot just be stored with a note.
    func notingFacts<R: Sendable>(
        of collection: Collection, _ body: (Collection) async throws(StorageError) -> R
    ) async throws(StorageError) -> R {
        var collection = collection
        for _ in 0..<Self.factsRoundsMax {
            do throws(StorageError) { return try await body(collection) } catch {
                guard case .newFacts(let facts) = error else { throw error }
                collection = try await catalog.note(facts, of: collection)
            }
        }
        return try await body(collection)
    }
}
