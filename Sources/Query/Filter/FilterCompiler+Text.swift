internal import BSON
internal import CommandModel

extension FilterCompiler {
    /// `$text`, once in a filter and where an index can serve it.
    mutating func textCondition(_ value: RawValue) throws(CommandError) -> Unmanaged<TextCondition> {
        guard features.contains(.text) else {
            throw CommandError(.queryFeatureNotAllowed, "$text is not allowed in this context")
        }
        let search = try TextSearch(value)
        guard near == nil else { throw CommandError(.badValue, "text and geoNear not allowed in same query") }
        guard text == nil else { throw CommandError(.badValue, "Too many text expressions") }
        guard !isInNor else { throw CommandError(.badValue, "text expression not allowed in nor") }
        let condition = try TextCondition(
            search, index: textIndex?.index, trustsTerms: textIndex?.trustsTerms ?? false)
        text = condition
        return arena.keep(condition)
    }
}
