internal import BSON

/// Whether what a filter matches is in a partial index: told from conditions one by one, and "no" where that is not
/// enough.
struct FilterImplication {
    private let partial: [IndexPredicate]
    private let order: KeyOrder

    init(_ definition: IndexDefinition, filterCollator: Collator?) {
        partial = definition.partialFilter?.indexPredicates ?? []
        order = KeyOrder(index: definition.collator, filter: filterCollator)
    }

    func holdsMatches(of conjuncts: [IndexPredicate]) -> Bool { implies(conjuncts, partial) }

    /// The conditions that all documents of the index meet.
    func impliedMembers(of conjuncts: [IndexPredicate]) -> Set<Int> {
        guard !partial.isEmpty else { return [] }
        return Set(conjuncts.indices.filter { implies(partial, [conjuncts[$0]]) })
    }

    private func implies(_ conjuncts: [IndexPredicate], _ conclusions: [IndexPredicate]) -> Bool {
        conclusions.allSatisfy { conclusion in
            conjuncts.contains { implies($0, conclusion) } || isAlternative(conclusion, of: conjuncts)
        }
    }

    private func isAlternative(_ conclusion: IndexPredicate, of conjuncts: [IndexPredicate]) -> Bool {
        switch conclusion {
        case .all(let members): implies(conjuncts, members)
        case .any(let branches): branches.contains { implies(conjuncts, IndexPredicate.conjuncts(of: $0)) }
        default: false
        }
    }

    private func implies(_ premise: IndexPredicate, _ conclusion: IndexPredicate) -> Bool {
        switch (premise, conclusion) {
        case (.never, _): true
        case (.any(let branches), _):
            branches.allSatisfy { implies(IndexPredicate.conjuncts(of: $0), [conclusion]) }
        case (.test(let premise), .test(let conclusion)): implies(premise, conclusion)
        case (.element(let scope, _), .test(let conclusion)):
            !conclusion.isNegated && conclusion.isExistence && scope.path == conclusion.path
        default: false
        }
    }

    private func implies(_ premise: IndexPredicate.FieldCondition, _ conclusion: IndexPredicate.FieldCondition) -> Bool
    {
        guard premise.path == conclusion.path, premise.isNegated == conclusion.isNegated else { return false }
        return premise.isNegated
            ? implies(conclusion.test, premise.test, premise.path)
            : implies(premise.test, conclusion.test, premise.path)
    }

    /// Whether a value that passes one test passes the other one.
    private func implies(_ premise: ValueTest, _ conclusion: ValueTest, _ path: IndexPath) -> Bool {
        guard !premise.matchesMissing || conclusion.matchesMissing else { return false }
        if case .exists = conclusion { return true }
        if case .type(let narrow) = premise, case .type(let wide) = conclusion, narrow.isSubset(of: wide) {
            return true
        }
        guard let wide = conclusion.possibleValues(order), wide.isExact, let narrow = narrowed(premise, path) else {
            return false
        }
        return narrow.isSubset(of: wide.set)
    }

    private func narrowed(_ premise: ValueTest, _ path: IndexPath) -> IntervalSet? {
        guard case .elementPasses(let tests) = premise else { return premise.possibleValues(order)?.set }
        // An element that a number in the path leads to is not looked into by other tests.
        return path.hasNumber ? nil : ValueTest.passingAll(tests, order).set
    }
}

extension IndexPredicate.FieldCondition {
    fileprivate var isExistence: Bool { if case .exists = test { true } else { false } }
}

extension TypeMask {
    fileprivate func isSubset(of other: TypeMask) -> Bool { bits & ~other.bits == 0 }
}
