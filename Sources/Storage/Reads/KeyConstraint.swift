internal import BSON
package import NIOCore
package import Query

/// What a filter demands of `_id`, as keys of one collection: the only place where a filter's values become keys.
///
/// The keys of a collection are made under its collation, a filter compares by that of its command. Where the two are
/// not the same, keys say nothing about strings (equal here may be two keys there): a constraint that holds some is
/// widened until it does not, and the filter decides over the rows.
package struct KeyConstraint: Sendable {
    package enum Shape: Sendable {
        case any
        /// One of these keys.
        case points([ByteBuffer])
        case range(lower: ScanPlan.Bound, upper: ScanPlan.Bound)
    }

    package let shape: Shape
    /// The rows with these keys are those that match: the filter need not be asked again.
    package let isExact: Bool

    package init(of filter: Filter, in collection: Collection) {
        guard collection.isKeyedByID else {
            self.init(.any, isExact: false)
            return
        }
        let identity = filter.identity
        switch identity.shape {
        case .points(let values) where values.allSatisfy({ collection.hasKey(of: $0, under: filter.collator) }):
            self.init(.points(values.map { collection.key(of: $0) }), isExact: identity.isExact)
        case .range(let low, let high):
            guard let type = (low ?? high)?.value.type else {
                self.init(.any, isExact: false)
                return
            }
            func bound(_ bound: IDConstraint.Bound?) -> ScanPlan.Bound? {
                bound.flatMap {
                    Self.bound($0.value, isInclusive: $0.isInclusive, under: filter.collator, in: collection)
                }
            }
            let (lower, upper) = (bound(low), bound(high))
            let isWidened = (low != nil && lower == nil) || (high != nil && upper == nil)
            let bracket = KeyEncoder.bracket(of: type)
            self.init(
                .range(
                    lower: lower ?? ScanPlan.Bound(key: ByteBuffer(bytes: [bracket.first]), isInclusive: true),
                    upper: upper ?? ScanPlan.Bound(key: ByteBuffer(bytes: [bracket.end]), isInclusive: false)),
                isExact: identity.isExact && !isWidened)
        case .any, .points: self.init(.any, isExact: false)
        }
    }

    private init(_ shape: Shape, isExact: Bool) {
        self.shape = shape
        self.isExact = isExact
    }

    /// The key of the one document that can match; nil when the filter leaves it open.
    package var onlyKey: ByteBuffer? {
        guard case .points(let keys) = shape, keys.count == 1 else { return nil }
        return keys[0]
    }

    /// Nil for a bound that would hide rows: a text under another collation, and a key that is cut (too long to be held
    /// whole), which has neighbours with the same prefix. A cut point is as good as a whole one.
    static func bound(
        _ value: Value, isInclusive: Bool, under collator: Collator?, in collection: Collection
    ) -> ScanPlan.Bound? {
        guard collection.hasKey(of: value, under: collator) else { return nil }
        let key = collection.key(of: value)
        return DocumentKey.isCut(key) ? nil : ScanPlan.Bound(key: key, isInclusive: isInclusive)
    }
}

extension Collection {
    /// Whether what compares with `value` under a collator is what compares with its key.
    fileprivate func hasKey(of value: Value, under collator: Collator?) -> Bool {
        collator?.collation == self.collator?.collation || !value.withRaw(\.holdsText)
    }
}
