internal import BSON

/// How the conditions of an operator are told.
struct ConditionKind: Sendable {
    var whenTrue: StaticString
    var whenFalse: StaticString
    /// The operator demands that its test fails.
    var isNegated = false
    /// It is put to the elements of an array, too.
    var entersArrays = true
    /// It is about values, not about their presence.
    var needsValue = true
    /// The types that it speaks of; none for all.
    var types: [BSONType] = []

    func reason(isTrue: Bool) -> StaticString { isTrue ? whenTrue : whenFalse }

    static func of(_ name: String) -> ConditionKind {
        all[name] ?? ConditionKind(whenTrue: "condition was met", whenFalse: "condition was not met")
    }

    private static let comparison = ConditionKind(
        whenTrue: "comparison succeeded", whenFalse: "comparison failed")

    private static let membership = ConditionKind(
        whenTrue: "matching value found in array", whenFalse: "no matching value found in array")

    private static let bits = ConditionKind(
        whenTrue: "bitwise operator matched successfully", whenFalse: "bitwise operator failed to match",
        types: [.double, .int32, .int64, .decimal128, .binary])

    private static let inclusion = ConditionKind(
        whenTrue: "at least one of considered geometries was contained within the expression's geometry",
        whenFalse: "none of the considered geometries was contained within the expression's geometry")

    private static let all: [String: ConditionKind] = [
        "$eq": comparison, "$gt": comparison, "$gte": comparison, "$lt": comparison, "$lte": comparison,
        "$ne": comparison.negated, "$in": membership, "$nin": membership.negated,
        "$bitsAllSet": bits, "$bitsAllClear": bits, "$bitsAnySet": bits, "$bitsAnyClear": bits,
        "$geoWithin": inclusion, "$within": inclusion,
        "$geoIntersects": ConditionKind(
            whenTrue: "at least one of considered geometries intersected the expression's geometry",
            whenFalse: "none of the considered geometries intersected the expression's geometry"),
        "$exists": ConditionKind(
            whenTrue: "path does exist", whenFalse: "path does not exist", entersArrays: false, needsValue: false),
        "$type": ConditionKind(whenTrue: "type did match", whenFalse: "type did not match"),
        "$regex": ConditionKind(
            whenTrue: "regular expression did match", whenFalse: "regular expression did not match",
            types: [.string, .symbol, .regex]),
        "$mod": ConditionKind(
            whenTrue: "$mod did evaluate to expected remainder",
            whenFalse: "$mod did not evaluate to expected remainder",
            types: [.double, .int32, .int64, .decimal128]),
        "$size": ConditionKind(
            whenTrue: "array length was equal to given size", whenFalse: "array length was not equal to given size",
            entersArrays: false, types: [.array]),
        "$elemMatch": ConditionKind(
            whenTrue: "array did satisfy the child predicate", whenFalse: "array did not satisfy the child predicate",
            entersArrays: false, types: [.array]),
        "$all": ConditionKind(
            whenTrue: "array did contain all specified values",
            whenFalse: "array did not contain all specified values", entersArrays: false),
    ]

    private var negated: ConditionKind {
        var copy = self
        copy.isNegated = true
        return copy
    }
}
