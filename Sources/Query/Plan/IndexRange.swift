package import BSON
package import CommandModel

/// `min` and `max` of a `find` that hints a secondary index: keys in the order of the index, across types.
package struct IndexRange: Sendable {
    /// From `min` on and below `max`. Bounds that are longer than a stored key are cut, to hold no less.
    package let interval: KeyInterval

    /// - Throws: 51174 for what does not name the fields of the index in their order or cannot be compared with its
    ///   keys, 51175 when nothing can lie between.
    package init(
        min: Document?, max: Document?, of definition: IndexDefinition, collator: Collator?
    ) throws(CommandError) {
        let order = KeyOrder(index: definition.collator, filter: collator)
        let lower = try min.map { bound throws(CommandError) in try Self.key(bound, definition, order) }
        let upper = try max.map { bound throws(CommandError) in try Self.key(bound, definition, order) }
        if let lower, let upper, !lower.lexicographicallyPrecedes(upper) {
            throw CommandError(
                ErrorCode(51175), "The value provided for min() does not come before the value provided for max()")
        }
        interval = KeyInterval(
            lower: Array((lower ?? KeyInterval.everything.lower).prefix(IndexKey.wholeLengthMax)),
            upper: Self.cut(upper ?? KeyInterval.everything.upper))
    }

    private static func cut(_ upper: [UInt8]) -> [UInt8] {
        upper.count > IndexKey.wholeLengthMax ? Array(upper.prefix(IndexKey.wholeLengthMax)).successor : upper
    }

    private static func key(
        _ bound: Document, _ definition: IndexDefinition, _ order: KeyOrder
    ) throws(CommandError) -> [UInt8] {
        var encoder = KeyEncoder()
        let isWhole = bound.withRaw { bound in
            var values = bound.makeIterator()
            for field in definition.fields {
                guard let element = values.next(), element.key.string == field.path,
                    field.kind == .ascending || field.kind == .descending, order.point(element.value) != nil
                else { return false }
                encoder.append(element.value, kind: field.kind, collator: definition.collator)
            }
            return values.next() == nil
        }
        guard isWhole else {
            throw CommandError(ErrorCode(51174), "The index chosen is not compatible with min/max")
        }
        return encoder.bytes
    }
}
