internal import BSON

// # The optimizer
//
// Rewrites a pipeline into one that gives the same documents for less work. It looks at compiled stages only, and knows
// few rules:
//
// - A `$match` moves ahead of stages that neither make nor change what it reads; where a field has only been given
//   another name, or is what documents are grouped by, it asks for the field behind that. If but a part of its
//   conditions can move, it is split. Neighbours become one filter.
// - `$limit` and `$skip` move ahead of stages that turn one document into one; neighbours become at most one of each. A
//   `$limit` is repeated before an `$unwind` that drops no document.
// - A `$sort` moves ahead of a projection or `$lookup` that leaves its fields, is told how many documents are wanted of
//   it, and goes away before a `$group` of everything that only counts and adds. (Else it decides in which order groups
//   come, which of the equal values 1 and 1.0 stands for a group, and the like.)
// - A `$lookup` takes in an `$unwind` of its array, and a `$match` of the elements: no array is made. It and
//   `$unionWith` are told what is asked of the documents that they bring.
//
// What thus stands at the front is left to the query that reads the collection. A stage may meet fewer documents than
// the client wrote, and so a document in which an expression would have failed may be gone before; the documents that
// come out are the same. No stage meets more of them: an `$expr` that can fail stays behind what guards it.
//
// Rejected: neighbouring sorts made one (the second keeps the order of the first among equals), fields followed through
// paths with dots (an array on the way changes what they mean).
extension Pipeline {
    package func optimized() -> Pipeline {
        var result = Pipeline()
        result.carriesTextScore = carriesTextScore
        for stage in stages { result.take(stage) }
        result.dropSorts()
        result.limitUnwinds()
        result.limitSorts()
        result.fuseLookups()
        result.fuseUnwinds()
        result.askElements()
        return result
    }

    /// Appends a stage, and moves it ahead as far as that changes nothing.
    private mutating func take(_ stage: Stage) {
        switch stage {
        case .match(let filter):
            if !filter.matchesEverything { place(filter, before: stages.count) }
        case .limit, .skip: place(window: stage, before: stages.count)
        case .sort(let pattern, nil): place(pattern)
        case .projection(let projection):
            if !projection.isIdentity { stages.append(stage) }
        default: stages.append(stage)
        }
    }

    /// Filters pass each other: what stands first is asked first all the same, if they end up side by side.
    private mutating func place(_ filter: Filter, before end: Int) {
        var (index, filter) = (end, filter)
        while index > 0 {
            if case .match = stages[index - 1] {
                index -= 1
                guard !filter.mustStay else { break }
            } else if let moved = stages[index - 1].letting(filter) {
                (index, filter) = (index - 1, moved)
            } else if let parts = filter.split(where: { stages[index - 1].letting($0) != nil }) {
                insert(parts.rest, at: index)
                return place(parts.moving, before: index)
            } else {
                break
            }
        }
        insert(filter, at: index)
    }

    private mutating func insert(_ filter: Filter, at index: Int) {
        if index < stages.count, case .match(let earlier) = stages[index], let both = earlier.and(filter) {
            stages[index] = .match(both)
        } else if index < stages.count, case .match = stages[index] {
            stages.insert(.match(filter), at: index + 1)
        } else {
            stages.insert(.match(filter), at: index)
        }
    }

    private mutating func place(window stage: Stage, before end: Int) {
        var index = end
        while index > 0, stages[index - 1].isOneToOne { index -= 1 }
        var window = Window()
        var first = index
        while first > 0, stages[first - 1].isWindow { first -= 1 }
        for earlier in stages[first..<index] { window.take(earlier) }
        guard window.take(stage) else {
            stages.insert(stage, at: index)
            return
        }
        stages.replaceSubrange(first..<index, with: window.stages)
    }

    private mutating func place(_ pattern: SortPattern) {
        var needs = FieldNeeds.shape
        needs.read(pattern)
        var index = stages.count
        while index > 0, needs.names({ stages[index - 1].passes($0) }) { index -= 1 }
        stages.insert(.sort(pattern, limit: nil), at: index)
    }

    private mutating func dropSorts() {
        for index in stages.indices.reversed() {
            guard case .sort(_, nil) = stages[index] else { continue }
            let next = stages[(index + 1)...].first { !$0.keepsOrder }
            guard case .group(let group)? = next, group.isFreeOfOrder else { continue }
            stages.remove(at: index)
        }
    }

    private mutating func limitUnwinds() {
        for index in stages.indices.reversed() {
            guard case .unwind(let unwind) = stages[index], unwind.preservesEmpty else { continue }
            guard let wanted = window(behind: index).seen else { continue }
            place(window: .limit(Int64(wanted)), before: index)
        }
    }

    private mutating func limitSorts() {
        for index in stages.indices {
            guard case .sort(let pattern, nil) = stages[index] else { continue }
            let window = window(behind: index)
            guard let limit = window.limit, limit > 0, let wanted = window.seen else { continue }
            stages[index] = .sort(pattern, limit: wanted)
        }
    }

    private mutating func fuseLookups() {
        for index in stages.indices.reversed() {
            guard case .lookup(let lookup, var use) = stages[index] else { continue }
            while index + 1 < stages.count, let fused = lookup.absorbing(stages[index + 1], use) {
                use = fused
                stages.remove(at: index + 1)
            }
            stages[index] = .lookup(lookup, use)
        }
    }

    private mutating func fuseUnwinds() {
        for index in stages.indices.dropLast().reversed() {
            guard case .unwind(let unwind) = stages[index], case .group(let group) = stages[index + 1],
                let fused = Group(group, behind: unwind)
            else { continue }
            stages.replaceSubrange(index...(index + 1), with: [.group(fused)])
        }
    }

    /// Tells stages that bring documents of other collections what is asked of these.
    private mutating func askElements() {
        var needs = FieldNeeds.whole
        for index in stages.indices.reversed() {
            switch stages[index] {
            case .lookup(let lookup, var use):
                use.needs = lookup.needsOfElements(use, for: needs)
                stages[index] = .lookup(lookup, use)
            case .unionWith(var union):
                union.compiled.needs = needs
                stages[index] = .unionWith(union)
            default: break
            }
            needs = stages[index].needs(for: needs)
        }
    }

    private func window(behind index: Int) -> Window {
        var window = Window()
        for next in stages[(index + 1)...].prefix(while: \.isWindow) { window.take(next) }
        return window
    }
}

/// What is left of a sequence by `$skip` and `$limit` in any order: first so many are skipped, then so many taken.
package struct Window: Sendable, Equatable {
    package private(set) var skip: Int64 = 0
    /// nil means all.
    package private(set) var limit: Int64?

    package init() {}

    /// - Returns: whether the stage was a `$skip` or `$limit` that could be added.
    @discardableResult
    package mutating func take(_ stage: Stage) -> Bool {
        switch stage {
        case .limit(let count): limit = min(limit ?? count, count)
        case .skip(let count):
            let (sum, overflow) = skip.addingReportingOverflow(count)
            guard !overflow else { return false }
            skip = sum
            limit = limit.map { max(0, $0 - count) }
        default: return false
        }
        return true
    }

    fileprivate var stages: [Stage] {
        (skip > 0 ? [.skip(skip)] : []) + (limit.map { [.limit($0)] } ?? [])
    }

    /// How many documents must come so that all that are taken are among them.
    fileprivate var seen: Int? {
        guard let limit else { return nil }
        let (sum, overflow) = limit.addingReportingOverflow(skip)
        return overflow ? nil : Int(exactly: sum)
    }
}

extension Stage {
    fileprivate var isOneToOne: Bool {
        switch self {
        case .projection, .replaceRoot, .graphLookup: true
        case .lookup(_, let use): use.unwind == nil
        default: false
        }
    }

    /// Whether a field comes out of it as it went in, and as many documents as went in, in their order.
    fileprivate func passes(_ name: RawKey) -> Bool {
        switch self {
        case .projection(let projection): projection.origin(of: name) == name
        case .lookup(let lookup, let use): use.unwind == nil && lookup.asPath[0] != name
        case .graphLookup(let graph): graph.asPath[0] != name
        default: false
        }
    }

    /// Whether documents come out in the order in which they came in, and all that matters is which ones come.
    fileprivate var keepsOrder: Bool {
        switch self {
        case .match, .projection, .replaceRoot, .unwind, .redact: true
        default: false
        }
    }

    fileprivate var isWindow: Bool {
        switch self {
        case .limit, .skip: true
        default: false
        }
    }
}

extension Group {
    /// Whether it gives the same for the same documents in any order.
    fileprivate var isFreeOfOrder: Bool {
        withExtendedLifetime(self) {
            id.isConstant
                && fields.nodes.allSatisfy { field in
                    switch field.accumulator.operation {
                    case .sum, .average, .count: true
                    default: false
                    }
                }
        }
    }
}
