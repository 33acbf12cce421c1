internal import BSON

// Wildcard indexes: a query uses them as an index on one of its paths, between the other fields if there are some. See
// ``WildcardPath`` for what the keys of a path can answer.
extension IndexPlanner {
    /// The narrowest scan for one path of the filter, or for the other fields alone; nil when no condition can be
    /// answered.
    func wildcardScan(
        _ position: Int, _ candidate: IndexCandidate, _ query: PlannedQuery, _ conjuncts: [IndexPredicate]
    ) -> PlannedScan? {
        guard let wildcard = WildcardBounds(candidate, query.filter, conjuncts, describes: describesBounds) else {
            return nil
        }
        var best: PlannedScan?
        for (bounds, width) in wildcard.choices {
            let (keys, isMeasured) = keys(in: bounds, candidate, guess: width)
            if let best, best.keys <= keys { continue }
            best = PlannedScan(
                position: position, bounds: bounds, isReversed: false, providesSort: false, keys: keys,
                isMeasured: isMeasured, fieldCount: candidate.definition.fields.count)
        }
        return best
    }
}

/// What a filter needs of the keys of a wildcard index.
private struct WildcardBounds {
    private struct Demand {
        let set: IntervalSet
        /// The conjuncts of which it says all.
        let exact: Set<Int>
    }

    private struct PathChoice {
        let name: String
        let constraint: FieldConstraint
        let conjunct: Int
    }

    private let fields: [IndexDefinition.Field]
    /// Of the wildcard.
    private let place: Int
    private let scope: WildcardScope
    private let isMultikey: Bool
    private let order: KeyOrder
    private let conjuncts: [IndexPredicate]
    private let describes: Bool

    init?(_ candidate: IndexCandidate, _ filter: Filter, _ conjuncts: [IndexPredicate], describes: Bool) {
        fields = candidate.definition.fields
        guard let scope = candidate.definition.wildcardScope,
            let place = fields.firstIndex(where: { $0.kind == .wildcard })
        else { return nil }
        (self.scope, self.place, self.conjuncts, self.describes) = (scope, place, conjuncts, describes)
        isMultikey = candidate.facts.isMultikey
        order = KeyOrder(index: candidate.definition.collator, filter: filter.collator)
    }

    /// Each with the part of the keys that one guesses to be in it.
    var choices: [(bounds: IndexBounds, width: Double)] {
        let demands = fields.indices.map { $0 == place ? Demand(set: .everything, exact: []) : demand(of: fields[$0]) }
        var choices = pathChoices.compactMap { bounds($0, demands) }
        // Every document has a key for the other fields.
        if place > 0, !demands[0].set.isEverything, let bounds = bounds(nil, demands) { choices.append(bounds) }
        return choices
    }

    /// Documents have one value for each of the other fields: arrays there are refused.
    private func demand(of field: IndexDefinition.Field) -> Demand {
        let field = IndexedField(path: IndexPath(field.path), isMultikey: false, order: order)
        var (set, exact) = (IntervalSet.everything, Set<Int>())
        for (index, conjunct) in conjuncts.enumerated() {
            for constraint in conjunct.constraints(on: field) {
                set = set.intersection(constraint.set)
                if constraint.isExact { exact.insert(index) }
            }
        }
        return Demand(set: set, exact: exact)
    }

    private var pathChoices: [PathChoice] {
        Self.paths(of: conjuncts).flatMap { path -> [PathChoice] in
            let name = String(decoding: path.bytes, as: UTF8.self)
            guard scope.covers(name), !isMultikey || !path.hasNumber else { return [] }
            let field = IndexedField(path: path, isMultikey: isMultikey, order: order)
            return conjuncts.enumerated().flatMap { index, conjunct in
                conjunct.constraints(on: field).map { PathChoice(name: name, constraint: $0, conjunct: index) }
            }
        }
    }

    /// The paths that single conditions are about.
    private static func paths(of conjuncts: [IndexPredicate]) -> [IndexPath] {
        conjuncts.flatMap { conjunct -> [IndexPath] in
            switch conjunct {
            case .test(let condition): [condition.path]
            case .all(let members), .any(let members), .element(_, let members): paths(of: members)
            default: []
            }
        }
    }

    private func bounds(_ choice: PathChoice?, _ demands: [Demand]) -> (bounds: IndexBounds, width: Double)? {
        var keys = KeyIntervals()
        for position in 0..<place { append(demands[position].set, position, &keys) }
        var exact = demands.reduce(into: Set<Int>()) { $0.formUnion($1.exact) }
        var sets = demands.map(\.set)
        if let choice {
            guard let set = Self.append(choice, to: &keys) else { return nil }
            sets[place] = set
            if !isMultikey, choice.constraint.isExact, !set.isEverything { exact.insert(choice.conjunct) }
        } else {
            keys.append(.everything, isDescending: false)
        }
        for position in (place + 1)..<fields.count { append(demands[position].set, position, &keys) }
        let intervals = keys.finish()
        var bounds = IndexBounds(
            intervals: intervals, isExact: exact.count == conjuncts.count && !keys.isWidened,
            isOfWholeKeys: keys.isOfPoints && !keys.isWidened,
            fieldBounds: describes ? describe(sets, choice) : [])
        bounds.equalityFields = sets.prefix { $0.onlyPoint != nil }.count
        bounds.pointFields = sets.prefix { $0.isOfPoints }.count
        return (bounds, sets.reduce(1) { $0 * $1.width })
    }

    private func append(_ set: IntervalSet, _ position: Int, _ keys: inout KeyIntervals) {
        keys.append(set, isDescending: fields[position].kind == .descending)
    }

    /// - Returns: the values that are asked for; nil for what the keys of the path cannot answer.
    private static func append(_ choice: PathChoice, to keys: inout KeyIntervals) -> IntervalSet? {
        let (constraint, path) = (choice.constraint, WildcardPath(choice.name))
        // Nothing stands for a path that is not there.
        guard constraint.provesPresence else { return nil }
        // Documents and arrays have no keys themselves, but for empty ones, only what is in them.
        let containers = IntervalSet([ValueInterval.bracket(of: .document), ValueInterval.bracket(of: .array)])
        let contained = constraint.set.intersection(containers)
        if constraint.set.isEverything || !contained.isOfPoints {
            keys.append(path.subtree)
            return .everything
        }
        guard contained.intervals.allSatisfy(\.isOfNothing), !constraint.set.contains(.null)
        else { return nil }
        keys.append(path.own)
        keys.append(constraint.set, isDescending: false)
        return constraint.set
    }

    private func describe(_ sets: [IntervalSet], _ choice: PathChoice?) -> [FieldBounds] {
        fields.indices.flatMap { position -> [FieldBounds] in
            let texts = sets[position].texts(isDescending: fields[position].kind == .descending)
            guard position == place else { return [FieldBounds(path: fields[position].path, intervals: texts)] }
            let path = choice.map { ["[\"\($0.name)\", \"\($0.name)\"]"] } ?? [#"[MinKey, MinKey]"#, #"["", {})"#]
            return [FieldBounds(path: "$_path", intervals: path)]
                + (choice.map { [FieldBounds(path: $0.name, intervals: texts)] } ?? [])
        }
    }
}

extension ValueInterval {
    /// The empty document, or the empty array.
    fileprivate var isOfNothing: Bool { point.map { ($0.document ?? $0.array)?.isEmpty == true } ?? false }
}
