package import CommandModel
package import Query

extension NearCondition {
    /// Refuses it where no index serves it, or a hint names another one.
    ///
    /// A scan and a sort would answer it as well; it is refused because MongoDB does, so that who forgets the index
    /// hears of it.
    ///
    /// - Throws: NoQueryExecutionPlans (291), 16433.
    package func checkIndex(in collection: Collection, hint: IndexHint?) throws(CommandError) {
        let serving = collection.readyIndexes.map(\.definition).filter(isServed)
        guard !serving.isEmpty else { throw Self.refusal("unable to find index for $geoNear query") }
        guard let index = hint.map({ hint in serving.first(where: hint.means) }) ?? serving.first else {
            throw Self.refusal("the hinted index cannot be used for a $geoNear query")
        }
        try check(against: index)
    }

    /// `$natural`, which is no index.
    package static let needsIndex = refusal("a $geoNear query cannot be answered in natural order")

    private static func refusal(_ reason: String) -> CommandError {
        CommandError(
            .noQueryExecutionPlans, "error processing query: planner returned error :: caused by :: \(reason)")
    }
}

extension FindQuery {
    /// - Throws: NoQueryExecutionPlans (291), 16433 for a `$near` that no index serves.
    package func checkNearIndex(in collection: Collection) throws(StorageError) {
        guard let near = filter.near else { return }
        guard collection.timeseries == nil else {
            throw .command(
                CommandError(ErrorCode(5_626_500), "$near is not supported on time series; use $geoNear in a pipeline"))
        }
        let isSteered = steering(in: collection).indexes != nil
        do throws(CommandError) {
            guard !wantsNaturalOrder else { throw NearCondition.needsIndex }
            try near.checkIndex(in: collection, hint: isSteered ? nil : hint)
        } catch { throw .command(error) }
    }
}
