package import BSON

/// What a filter demands of `_id`: the part of a filter that storage answers from the primary key.
package struct IDConstraint: Sendable {
    package enum Shape: Sendable {
        case any
        /// One of these values; none of them is an array or a regular expression. May hold equal values twice, and
        /// is empty when nothing can match.
        case points([Value])
        /// Between two values of one type bracket (numbers, strings …). A missing bound ends with the bracket of the
        /// other: `{$gt: 5}` is all larger numbers, not all larger values.
        case range(lower: Bound?, upper: Bound?)
    }

    package struct Bound: Sendable {
        package let value: Value
        package let isInclusive: Bool
    }

    package let shape: Shape
    /// The whole filter is nothing but this constraint: what the key range yields need not be tested again.
    package let isExact: Bool

    package static let unconstrained = IDConstraint(shape: .any, isExact: false)
}

/// A condition on one path that holds for every match: a top-level field of the filter, also inside `$and`.
struct PathCondition {
    enum Kind {
        case equal(RawValue)
        case oneOf([RawValue])
        case compare(Comparison, RawValue)
        case other
    }

    let path: RawKey
    let kind: Kind

    var equality: PathEquality? {
        switch kind {
        case .equal(let value): PathEquality(path: path, value: value)
        case .oneOf(let values) where values.count == 1: PathEquality(path: path, value: values[0])
        default: nil
        }
    }
}

extension IDConstraint {
    /// - Parameter conditions: everything the filter is a conjunction of, as far as it was understood.
    init(of conditions: [PathCondition], root: DocumentTest) {
        let onID = conditions.filter { $0.path == "_id" }
        guard let points = onID.compactMap(Self.points).first else {
            self = Self.range(of: onID, among: conditions)
            return
        }
        self.init(shape: .points(points.map(Value.init(copying:))), isExact: conditions.count == 1)
    }

    private static func points(_ condition: PathCondition) -> [RawValue]? {
        switch condition.kind {
        case .equal(let value): [value]
        case .oneOf(let values): values
        case .compare, .other: nil
        }
    }

    /// Takes the first lower and the first upper bound; further ones make the constraint inexact.
    private static func range(of onID: [PathCondition], among all: [PathCondition]) -> IDConstraint {
        var lower: (value: RawValue, isInclusive: Bool)?
        var upper: (value: RawValue, isInclusive: Bool)?
        for case .compare(let comparison, let value) in onID.map(\.kind) where isKeyBound(value) {
            switch comparison {
            case .greater, .greaterOrEqual: lower = lower ?? (value, comparison.includesEqual)
            case .less, .lessOrEqual: upper = upper ?? (value, comparison.includesEqual)
            }
        }
        if let low = lower, let high = upper, low.value.type.canonicalTypeRank != high.value.type.canonicalTypeRank {
            upper = nil
        }
        guard lower != nil || upper != nil else { return .unconstrained }
        let used = (lower == nil ? 0 : 1) + (upper == nil ? 0 : 1)
        return IDConstraint(
            shape: .range(lower: lower.map(bound), upper: upper.map(bound)),
            isExact: all.count == used && !includesNaN(lower, upper))
    }

    /// NaN is the least number by key: a range of numbers without a lower bound holds it, and no comparison does.
    private static func includesNaN(
        _ lower: (value: RawValue, isInclusive: Bool)?, _ upper: (value: RawValue, isInclusive: Bool)?
    ) -> Bool {
        lower == nil && upper?.value.type.isNumber == true
    }

    private static func bound(_ bound: (value: RawValue, isInclusive: Bool)) -> Bound {
        Bound(value: Value(copying: bound.value), isInclusive: bound.isInclusive)
    }

    /// NaN matches no inequality, minKey and maxKey compare across brackets: not worth a special case.
    private static func isKeyBound(_ value: RawValue) -> Bool {
        switch value.type {
        case .int32, .int64, .double, .decimal128: !value.isNaN
        case .string, .objectID, .date, .timestamp, .bool, .binary: true
        default: false
        }
    }
}
