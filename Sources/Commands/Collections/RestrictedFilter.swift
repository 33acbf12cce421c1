internal import BSON
internal import CommandModel
internal import Query

extension Argument {
    /// A filter outside of a query, for lists of the catalog. It may not ask for what needs an index or a script, nor
    /// for the time.
    func restrictedFilter() throws(CommandError) -> Filter { try restrictedFilter(naming: ExpressionEnvironment.none) }

    /// The same for validators. Time is named when they are applied, not now.
    func checkRules() throws(CommandError) { _ = try restrictedFilter(naming: ExpressionEnvironment.anyTime) }

    private func restrictedFilter(naming environment: ExpressionEnvironment) throws(CommandError) -> Filter {
        let filter = try document()
        try filter.withRaw { raw throws(CommandError) in try Self.refuseQueryOperators(in: raw) }
        return try Filter(compiling: filter, environment: environment)
    }

    /// Nested as deep as a document may be.
    private static func refuseQueryOperators(in raw: RawDocument) throws(CommandError) {
        for field in raw {
            switch field.key {
            case "$where", "$text":
                throw CommandError(.badValue, "\(field.key.string) is not allowed in this context")
            case "$near", "$nearSphere", "$geoNear":
                throw CommandError(
                    ErrorCode(5_626_500), "$geoNear, $near, and $nearSphere are not allowed in this context")
            case "$and", "$or", "$nor", "$not", "$elemMatch":
                if let operand = field.value.container { try refuseQueryOperators(in: operand) }
            default:
                guard !field.key.startsWithDollar, let operand = field.value.document else { continue }
                try refuseQueryOperators(in: operand)
            }
        }
    }
}
