internal import BSON

/// A path compared with a constant in `$expr`: by the order of all values, across types, and an array as a whole.
struct FieldComparison {
    let path: IndexPath
    let comparison: ComparisonOperator
    let operand: RawValue

    /// Only of a field without arrays do the keys have what an expression sees there.
    func constraint(on field: IndexedField) -> FieldConstraint? {
        guard path == field.path, !field.isMultikey, let point = field.order.point(operand) else { return nil }
        let all = ValueInterval.everything
        var set: IntervalSet
        switch comparison {
        case .equal: set = IntervalSet([point])
        case .notEqual: set = IntervalSet([point]).complement
        case .less: set = IntervalSet([ValueInterval(lower: all.lower, upper: point.lower)])
        case .lessOrEqual: set = IntervalSet([ValueInterval(lower: all.lower, upper: point.upper)])
        case .greater: set = IntervalSet([ValueInterval(lower: point.upper, upper: all.upper)])
        case .greaterOrEqual: set = IntervalSet([ValueInterval(lower: point.lower, upper: all.upper)])
        case .compare: return nil
        }
        if admitsMissing { set = set.union(IntervalSet([.bracket(of: .null)])) }
        return FieldConstraint(set: set, isExact: false, provesPresence: !admitsMissing)
    }

    /// What is not there is less than everything but `minKey`, and has the key of null.
    private var admitsMissing: Bool {
        let isLess = operand.type != .minKey
        return switch comparison {
        case .less, .lessOrEqual: isLess
        case .greater, .greaterOrEqual: !isLess
        case .notEqual: true
        case .equal, .compare: false
        }
    }
}

extension IndexPredicate {
    /// The comparisons that an expression is a conjunction of.
    ///
    /// The recursion is as deep as the expression's, which its compiler has bounded.
    init(_ expression: Expression) {
        guard case .call(let operation, let operands) = expression else {
            self = .unknown
            return
        }
        switch operation {
        case .boolean(.and): self = .all(operands.nodes.map(IndexPredicate.init) + [.unknown])
        case .comparison(let comparison) where operands.count == 2:
            self = Self.comparison(operands[0], comparison, operands[1])
        default: self = .unknown
        }
    }

    private static func comparison(
        _ left: Expression, _ comparison: ComparisonOperator, _ right: Expression
    ) -> IndexPredicate {
        switch (left, right) {
        case (.path(let path), .constant(let operand)) where path.slot == Evaluator.rootSlot && path.steps.count > 0:
            .comparison(FieldComparison(path: path.indexPath, comparison: comparison, operand: operand))
        case (.constant(let operand), .path(let path)) where path.slot == Evaluator.rootSlot && path.steps.count > 0:
            .comparison(FieldComparison(path: path.indexPath, comparison: comparison.flipped, operand: operand))
        default: .unknown
        }
    }
}

extension ComparisonOperator {
    fileprivate var flipped: ComparisonOperator {
        switch self {
        case .greater: .less
        case .greaterOrEqual: .lessOrEqual
        case .less: .greater
        case .lessOrEqual: .greaterOrEqual
        case .compare, .equal, .notEqual: self
        }
    }
}

extension ValuePath {
    fileprivate var indexPath: IndexPath { steps.nodes.reduce(IndexPath([])) { $0.appending($1) } }
}
