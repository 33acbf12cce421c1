import CommandModel

@testable import Storage

extension TestStore {
    /// Merges into the collection of tests.
    ///
    /// - Parameter fields: by whose values documents are found; nil for `_id`.
    /// - Returns: an error's code, 1 for a match, 0 for none.
    @discardableResult
    func merge(
        _ items: [MergeItem], on fields: MergeFields? = nil, creating: Bool = true, by engine: StorageEngine? = nil
    ) async throws -> [Int32] {
        var pace = MergePace()
        let outcomes = try await DocumentStore(engine ?? self.engine)
            .merge(items, on: fields, into: namespace(), creating: creating, &pace)
        return outcomes.map { outcome in
            switch outcome {
            case .success(let outcome): outcome.matched ? 1 : 0
            case .failure(let error): error.code.number
            }
        }
    }

    /// The documents of the collection of tests.
    func texts() async throws -> [String] { try await engine.texts(of: try await collection()) }
}
