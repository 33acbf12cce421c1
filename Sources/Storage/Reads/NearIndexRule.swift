internal import CommandModel
internal import Query

extension FindQuery {
    /// Refuses `$near` where no index serves it, or a hint names another one.
    ///
    /// A scan and a sort would answer it as well; it is refused because MongoDB does, so that who forgets the index
    /// hears of it.
    ///
    /// - Throws: NoQueryExecutionPlans (291).
    package func checkNearIndex(in collection: Collection) throws(StorageError) {
        guard let near = filter.near else { return }
        let serving = collection.readyIndexes.filter { near.isServed(by: $0.definition) }
        guard !serving.isEmpty else { throw Self.noNearIndex("unable to find index for $geoNear query") }
        guard let hint, case .none = steering(in: collection) else { return }
        guard serving.contains(where: { hint.means($0.definition) }) else {
            throw Self.noNearIndex("the hinted index cannot be used for a $geoNear query")
        }
    }

    private static func noNearIndex(_ reason: String) -> StorageError {
        .command(
            CommandError(
                .noQueryExecutionPlans, "error processing query: planner returned error :: caused by :: \(reason)"))
    }
}
