internal import BSON

/// Turns constraints on the fields of an index into intervals of its keys.
///
/// A key is the values of the fields, one after the other. As long as all fields so far have points only, the next one
/// narrows further: each point so far is a beginning, and each interval of the next field makes an interval of keys
/// behind it. An interval that is no point ends that, for what comes after it in the key no longer stands together.
///
/// # Keys of many values
///
/// The keys of a document are made element by element: two fields below one array have pairs of values, not all
/// combinations. `{"a.b": 1, "a.c": 2}` may be met by two elements, and no key has both values. So of the fields that
/// may lead through the same array only one is constrained, but where one `$elemMatch` asks for one element.
struct BoundsBuilder {
    /// As many intervals as several fields may make together.
    static let intervalsMax = 1_000
    /// As many as one field may have.
    static let pointsMax = 10_000

    let fields: [IndexDefinition.Field]
    let facts: IndexFacts
    let order: KeyOrder
    let isSparse: Bool
    private let describes: Bool

    /// - Parameter describes: whether `explain` asks for the bounds.
    init(_ candidate: IndexCandidate, filterCollator: Collator?, describes: Bool = false) {
        self.describes = describes
        isSparse = candidate.definition.isSparse
        fields = candidate.definition.fields
        facts = candidate.facts
        order = KeyOrder(index: candidate.definition.collator, filter: filterCollator)
    }

    /// What a conjunction demands of each field, and whether that is all it demands.
    struct Demands {
        var sets: [IntervalSet]
        var isExact: Bool
        /// A document without any of the fields does not match.
        var provesPresence: Bool
        /// The keys in the sets are not those of what is not there.
        var excludesMissing = false

        /// The part of all keys that is in the bounds, as one guesses.
        var width: Double {
            var width = 1.0
            for set in sets {
                if set.isEverything { break }
                width *= set.width
                if !set.isOfPoints { break }
            }
            return width
        }
    }

    /// - Parameter known: members that all documents of the index meet.
    func demands(of conjuncts: [IndexPredicate], known: Set<Int> = []) -> Demands {
        var demands = Demands(sets: [], isExact: true, provesPresence: false)
        var chosen: [(path: IndexPath, constraint: FieldConstraint)] = []
        var exact = known
        for (position, field) in fields.enumerated() {
            let field = IndexedField(
                path: IndexPath(field.path), isMultikey: facts.isMultikey(field: position), order: order)
            let constraints = conjuncts.enumerated().flatMap { index, predicate in
                predicate.constraints(on: field).map {
                    (index, self.fields[position].kind == .hashed ? hashed($0) : $0)
                }
            }
            if constraints.contains(where: \.1.provesPresence) { demands.provesPresence = true }
            let used = field.isMultikey ? tightest(constraints, field.path, chosen) : constraints
            for (index, constraint) in used where constraint.isExact { exact.insert(index) }
            let set = used.reduce(IntervalSet.everything) { $0.intersection($1.1.set) }
            if !set.contains(.null) { demands.excludesMissing = true }
            if field.isMultikey, !set.isEverything, let one = used.first { chosen.append((field.path, one.1)) }
            demands.sets.append(set)
        }
        demands.isExact = exact.count == conjuncts.count
        // Of the keys of a document a sparse index may have some and lack those that would be in the sets.
        if isSparse, facts.isMultikey, !demands.excludesMissing {
            demands.sets = fields.map { _ in .everything }
            demands.isExact = false
        }
        return demands
    }

    /// Only whole values can be looked for by their hash, and others may have the same.
    private func hashed(_ constraint: FieldConstraint) -> FieldConstraint {
        var result = constraint
        result.isExact = false
        let points = constraint.set.intervals.compactMap(\.point)
        guard points.count == constraint.set.intervals.count else {
            result.set = .everything
            return result
        }
        result.set = IntervalSet(points.map { ValueInterval(hashOf: $0, order.collator) })
        return result
    }

    private func tightest(
        _ constraints: [(Int, FieldConstraint)], _ path: IndexPath,
        _ chosen: [(path: IndexPath, constraint: FieldConstraint)]
    ) -> [(Int, FieldConstraint)] {
        let compatible = constraints.filter { _, constraint in
            chosen.allSatisfy { other in
                guard let shared = path.common(with: other.path) else { return true }
                return constraint.scopes.contains { $0.path == shared && other.constraint.scopes.contains($0) }
            }
        }
        return compatible.min { rank($0.1) < rank($1.1) }.map { [$0] } ?? []
    }

    /// In a sparse index a set without null comes first: see ``demands(of:)``.
    private func rank(_ constraint: FieldConstraint) -> Double {
        constraint.width + (isSparse && constraint.set.contains(.null) ? 1 : 0)
    }

    /// - Parameter mergedFields: the values of so many fields are what walks begin with that are to be merged.
    func bounds(_ demands: Demands, mergedFields: Int = 0) -> IndexBounds {
        var keys = KeyIntervals()
        for (position, field) in fields.enumerated() {
            keys.append(demands.sets[position], isDescending: field.kind == .descending)
            if position + 1 == mergedFields { keys.mark() }
        }
        let intervals = keys.finish()
        var bounds = IndexBounds(
            intervals: intervals, isExact: demands.isExact && !keys.isWidened,
            isOfWholeKeys: keys.isOfPoints && !keys.isWidened, fieldBounds: describes ? describe(demands) : [])
        bounds.equalityFields = demands.sets.prefix { $0.onlyPoint != nil }.count
        bounds.pointFields = demands.sets.prefix { $0.isOfPoints }.count
        bounds.mergedBytes = keys.markedBytes(of: intervals)
        return bounds
    }

    private func describe(_ demands: Demands) -> [FieldBounds] {
        zip(fields, demands.sets).map { field, set in
            FieldBounds(path: field.path, intervals: set.texts(isDescending: field.kind == .descending))
        }
    }
}

extension ValueInterval {
    fileprivate init(hashOf value: RawValue, _ collator: Collator?) {
        var encoder = KeyEncoder()
        encoder.append(value, kind: .hashed, collator: collator)
        self.init(
            lower: ValueCut(bytes: encoder.bytes, edge: .value(value), isAfter: false),
            upper: ValueCut(bytes: encoder.bytes.successor, edge: .value(value), isAfter: true))
    }
}
