internal import BSON

/// One field of an index, as constraints on it see it.
struct IndexedField {
    let path: IndexPath
    /// Documents may have several keys for it.
    let isMultikey: Bool
    let order: KeyOrder
}

/// What one condition of a filter demands of one field of an index: each document that meets the condition has a key
/// whose value for the field is in the set.
///
/// A key stands for one of the values that a path leads to. Several conditions may be met by different values; only of
/// a field that has one value in each document the sets of all conditions may be intersected.
struct FieldConstraint {
    var set: IntervalSet
    /// Each document with a key in the set meets the condition.
    var isExact: Bool
    /// A document without the field does not meet it.
    var provesPresence: Bool
    /// The `$elemMatch`es around the condition, the outermost first.
    var scopes: [ElementScope] = []
}

extension IndexPredicate {
    /// What one member of a conjunction demands of a field: each of these by itself, none if nothing.
    func constraints(on field: IndexedField) -> [FieldConstraint] {
        switch self {
        case .unknown, .text: []
        case .never: [FieldConstraint(set: .nothing, isExact: true, provesPresence: true)]
        case .test(let condition): condition.constraint(on: field).map { [$0] } ?? []
        case .comparison(let comparison): comparison.constraint(on: field).map { [$0] } ?? []
        case .all(let members): Self.joined(members, field).map { [$0] } ?? []
        case .any(let branches): Self.alternative(branches, field).map { [$0] } ?? []
        case .none(let branches): Self.refused(branches, field)
        case .element(let scope, let members):
            members.flatMap { $0.constraints(on: field) }.compactMap { $0.within(scope, field) }
        }
    }

    /// A conjunction as one constraint: of a field with many values the tightest one.
    static func joined(_ members: [IndexPredicate], _ field: IndexedField) -> FieldConstraint? {
        let constraints = members.map { $0.constraints(on: field) }
        guard var joined = constraints.joined().min(by: { $0.width < $1.width }) else { return nil }
        let isWhole = constraints.allSatisfy { $0.count == 1 && $0[0].isExact }
        if field.isMultikey {
            joined.isExact = isWhole && members.count == 1
        } else {
            for constraint in constraints.joined() { joined.set = joined.set.intersection(constraint.set) }
            joined.isExact = isWhole
            joined.scopes = []
        }
        joined.provesPresence = constraints.joined().contains(where: \.provesPresence)
        return joined
    }

    private static func alternative(_ branches: [IndexPredicate], _ field: IndexedField) -> FieldConstraint? {
        var intervals: [ValueInterval] = []
        var all = FieldConstraint(set: .nothing, isExact: true, provesPresence: true)
        for branch in branches {
            guard let one = joined(conjuncts(of: branch), field) else { return nil }
            intervals += one.set.intervals
            all.isExact = all.isExact && one.isExact
            all.provesPresence = all.provesPresence && one.provesPresence
        }
        all.set = IntervalSet(intervals)
        return all
    }

    /// Where every key in a set would mean a match, no match means no key there.
    private static func refused(_ branches: [IndexPredicate], _ field: IndexedField) -> [FieldConstraint] {
        branches.compactMap { branch in
            guard let one = joined(conjuncts(of: branch), field), one.isExact else { return nil }
            return FieldConstraint(
                set: one.set.complement, isExact: !field.isMultikey && branches.count == 1,
                provesPresence: one.set.contains(.null))
        }
    }
}

extension IndexPredicate.FieldCondition {
    func constraint(on field: IndexedField) -> FieldConstraint? {
        guard path == field.path else { return nil }
        return isNegated ? negated(field) : plain(field)
    }

    private func negated(_ field: IndexedField) -> FieldConstraint? {
        if case .exists = test { return absence(field) }
        guard let refused = plain(field), refused.isExact else { return nil }
        return FieldConstraint(
            set: refused.set.complement, isExact: !field.isMultikey, provesPresence: refused.set.contains(.null))
    }

    /// What is not there has the key of null; within an array that is empty there may be that of undefined.
    private func absence(_ field: IndexedField) -> FieldConstraint? {
        if field.isMultikey, path.hasNumber { return nil }
        let types: [BSONType] = field.isMultikey ? [.undefined, .null] : [.null]
        guard let set = field.order.points(types.map(RawValue.nothing)) else { return nil }
        return FieldConstraint(set: set, isExact: false, provesPresence: false)
    }

    private func plain(_ field: IndexedField) -> FieldConstraint? {
        // A number is the index of an element in the key, and for the filter a name in the other elements, too, where
        // it leads to nothing.
        if field.isMultikey, path.hasNumber, test.matchesMissing { return nil }
        let provesPresence = !test.matchesMissing
        if case .elementPasses(let tests) = test {
            let values = ValueTest.passingAll(tests, field.order)
            return FieldConstraint(set: values.set, isExact: false, provesPresence: provesPresence)
        }
        // The values are those of the elements: the array itself has no key.
        if case .size = test {
            return FieldConstraint(set: .everything, isExact: false, provesPresence: provesPresence)
        }
        guard let values = test.possibleValues(field.order) else {
            return FieldConstraint(set: .everything, isExact: false, provesPresence: provesPresence)
        }
        let isExact = values.isExact && tellsApart(values.set, field)
        guard field.isMultikey, let widened = widened(values.set, field.order) else {
            return FieldConstraint(set: values.set, isExact: isExact, provesPresence: provesPresence)
        }
        return FieldConstraint(set: widened, isExact: false, provesPresence: provesPresence)
    }

    /// Whether a key in the set can only come from a value that passes: not from a path that ends in nothing on the
    /// way, nor from an array that has no elements, nor from an element that the filter looks at as a whole.
    private func tellsApart(_ set: IntervalSet, _ field: IndexedField) -> Bool {
        if set.contains(.null), !test.matchesMissing { return false }
        guard field.isMultikey else { return true }
        return !set.contains(.undefined) && !path.hasNumber && !(path.isDotted && set.contains(.null))
    }

    /// A whole array may pass, and its keys are those of its elements.
    ///
    /// - Returns: nil when no array passes.
    private func widened(_ set: IntervalSet, _ order: KeyOrder) -> IntervalSet? {
        guard set.contains(.array) else { return nil }
        var starts: [RawValue] = []
        for interval in set.intersection(IntervalSet([.bracket(of: .array)])).intervals {
            guard let array = interval.point?.array else { return .everything }
            starts.append(array.firstElement?.value ?? .nothing(.undefined))
        }
        return order.points(starts)?.union(set) ?? .everything
    }
}

extension FieldConstraint {
    /// As a condition on the elements of an array. An array among them counts as a document with numbers for names, of
    /// which the index knows nothing.
    fileprivate func within(_ scope: ElementScope, _ field: IndexedField) -> FieldConstraint? {
        guard !field.path.hasNumber(after: scope.path) else { return nil }
        var inner = self
        inner.isExact = false
        inner.scopes.insert(scope, at: 0)
        return inner
    }

    /// How much of the values is in the set, roughly: what chooses among constraints of which only one may be used.
    var width: Double { self.set.width }
}

extension IntervalSet {
    /// As a part of all values, as one guesses without knowing any.
    var width: Double { min(intervals.reduce(0) { $0 + $1.width }, 1) }
}

extension ValueInterval {
    fileprivate var width: Double {
        if isPoint { return 0.005 }
        if isEverything { return 1 }
        return switch (lower.edge.isGiven, upper.edge.isGiven) {
        case (true, true): 0.1
        case (true, false), (false, true): 0.33
        case (false, false): 0.5
        }
    }
}

extension BoundEdge {
    fileprivate var isGiven: Bool {
        switch self {
        case .value, .text: true
        case .least, .greatest, .negativeInfinity: false
        }
    }
}
