internal import CommandModel
internal import Query

extension Filter {
    /// Whether `$near` is refused where no index serves it, as MongoDB does. There are no such indexes yet, and it is
    /// answered by a scan and a sort.
    private static let nearNeedsIndex = false

    func checkNearIndex(of collection: Collection) throws(StorageError) {
        guard Self.nearNeedsIndex, let near, !collection.hasIndex(for: near) else { return }
        throw .command(
            CommandError(
                .noQueryExecutionPlans,
                "error processing query: planner returned error: unable to find index for $geoNear query"))
    }
}

extension Collection {
    fileprivate func hasIndex(for near: NearCondition) -> Bool { false }
}
