// A `$group` for which one document of each group is enough.
extension Group {
    /// For `{_id: "$field"}`, of which the first documents are wanted at most; nil where more is asked.
    ///
    /// - Parameter isSorted: documents come in an order, so that it matters which is the first.
    package func distinct(isSorted: Bool) -> DistinctDemand? {
        withExtendedLifetime(self) {
            guard case .path(let path) = id, path.slot == Evaluator.rootSlot, path.steps.count > 0 else { return nil }
            // Without an order any document is the first, but all fields are to be of one.
            guard fields.nodes.allSatisfy({ $0.accumulator.operation == .first }) else { return nil }
            guard isSorted || fields.count == 0 else { return nil }
            return DistinctDemand(
                path: path.steps.nodes.map(\.string).joined(separator: "."), collator: settings.order.collator)
        }
    }
}
