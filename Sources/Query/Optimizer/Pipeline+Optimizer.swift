internal import BSON

// # The optimizer
//
// Rewrites a pipeline into one that gives the same documents in the same order for less work. It looks at compiled
// stages only, and knows few rules:
//
// - A `$match` moves ahead of stages that neither make nor change what it reads; neighbours become one filter.
// - `$limit` and `$skip` move ahead of stages that turn one document into one; neighbours become at most one of each.
// - A `$sort` is told how many documents are wanted of it, when a `$limit` follows (behind a `$skip`, perhaps).
//
// What thus stands at the front is left to the query that reads the collection. A stage may meet fewer documents than
// the client wrote, and so a document in which an expression would have failed may be gone before; the documents that
// come out are the same.
//
// Rejected: conjunctions split so that a part moves, and renamed fields followed through `$project`. Both widen what
// moves, and each is a rule to prove for cases that clients can write in the better order themselves.
extension Pipeline {
    package func optimized() -> Pipeline {
        var result = Pipeline()
        for stage in stages { result.take(stage) }
        result.limitSorts()
        return result
    }

    /// Appends a stage, and moves it ahead as far as that changes nothing.
    private mutating func take(_ stage: Stage) {
        switch stage {
        case .match(let filter):
            if !filter.matchesEverything { take(filter) }
        case .limit, .skip: takeWindow(stage)
        default: stages.append(stage)
        }
    }

    private mutating func take(_ filter: Filter) {
        var index = stages.count
        while index > 0 {
            if case .match(let earlier) = stages[index - 1] {
                guard let both = earlier.and(filter) else { break }
                stages[index - 1] = .match(both)
                return
            }
            guard stages[index - 1].lets(filter) else { break }
            index -= 1
        }
        stages.insert(.match(filter), at: index)
    }

    private mutating func takeWindow(_ stage: Stage) {
        var index = stages.count
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

    private mutating func limitSorts() {
        for index in stages.indices {
            guard case .sort(let pattern, nil) = stages[index] else { continue }
            var window = Window()
            for next in stages[(index + 1)...].prefix(while: \.isWindow) { window.take(next) }
            guard let limit = window.limit, limit > 0, let wanted = window.seen else { continue }
            stages[index] = .sort(pattern, limit: wanted)
        }
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
    /// Whether a filter may be asked before the stage as well as behind it.
    fileprivate func lets(_ filter: Filter) -> Bool {
        switch self {
        case .sort(_, nil): true
        case .projection(let projection): filter.readsOnly { projection.keeps($0) }
        case .unwind(let unwind): filter.readsOnly { unwind.keeps($0) }
        default: false
        }
    }

    fileprivate var isOneToOne: Bool {
        switch self {
        case .projection, .replaceRoot: true
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

extension Projection {
    /// Whether a field comes out as it went in, with all that is in it.
    fileprivate func keeps(_ name: RawKey) -> Bool {
        withExtendedLifetime(program) {
            if let index = program.fields.index(of: name) {
                if case .include = program.fields.list[index].action { return true }
                return false
            }
            if program.mode == .addition { return true }
            return name == "_id" ? program.showsID : program.mode == .exclusion
        }
    }
}

extension Unwind {
    fileprivate func keeps(_ name: RawKey) -> Bool {
        withExtendedLifetime(self) {
            path[0] != name && (indexPath.isEmpty || indexPath[0] != name)
        }
    }
}
