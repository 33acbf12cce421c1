internal import BSON
internal import CommandModel
package import Query

/// How the documents of a query are found: an ``AccessPlan`` with the indexes of one collection.
package enum Access: Sendable {
    /// Nobody has looked at the indexes.
    case undecided
    /// By the table of the documents.
    case collection
    case keys(KeyScan)
    /// One walk after another; what an earlier one has met is left out by the later ones.
    case union([KeyScan])
    /// `$text`: the documents with one of its words, in the order of the table.
    case text(KeyScan)
    /// `$or` with a `$text`: the documents that one of these meets, in the order of the table.
    case textUnion([KeyScan])
    /// No document can match.
    case nothing
}

extension FindQuery {
    /// The same query with its choice made.
    ///
    /// - Parameters:
    ///   - counting: whether the choice is a use of the indexes, which are told how often they are used.
    ///   - describing: whether it tells bounds as `explain` shows them.
    /// - Throws: BadValue (2), NoQueryExecutionPlans (291) for a hint that cannot be followed.
    package func choosingAccess(
        in collection: Collection, counting: Bool = true, describing: Bool = false
    ) throws(StorageError) -> FindQuery {
        guard case .undecided = access else { return self }
        if filter.searchesText { return try choosingTextIndex(in: collection, counting: counting) }
        var query = self
        query.access = .collection
        guard collection.hasIndexes else { return query }
        let steering = steering(in: collection)
        query.follow(steering)
        guard query.mayUseSecondaryKeys(of: collection) else { return query }
        do throws(CommandError) {
            query.access = try query.plannedAccess(in: collection, by: steering, describing: describing)
            try query.checkIndexKey()
        } catch { throw .command(error) }
        if counting { query.access.noteUse() }
        return query
    }

    private func plannedAccess(
        in collection: Collection, by steering: Steering, describing: Bool
    ) throws(CommandError) -> Access {
        let indexes = collection.readyIndexes
        if let keyRange { return try Self.access(to: keyRange, by: hint, among: indexes, filter.collator) }
        guard let allowed = steering.indexes else { return try access(among: indexes, describing: describing) }
        let access = try access(among: indexes.filter { allowed.contain($0.definition) }, describing: describing)
        if case .collection = access, mayLeave(steering) {
            return try self.access(among: indexes, describing: describing)
        }
        return access
    }

    private func access(among indexes: [SecondaryIndex], describing: Bool) throws(CommandError) -> Access {
        Access(try planner(among: indexes, describing: describing).plan(planRequest), of: indexes)
    }

    func planner(among indexes: [SecondaryIndex], describing: Bool) -> IndexPlanner {
        IndexPlanner(
            indexes.map {
                IndexCandidate(definition: $0.definition, facts: $0.facts, statistics: $0.statistics.current)
            },
            describesBounds: describing)
    }

    var planRequest: PlanRequest {
        var request = PlanRequest(filter, sort: rowOrder, matchesNeeded: matchesNeeded, hint: hint, distinct: distinct)
        request.isCount = isCount
        return request
    }

    /// The keys between `min` and `max` of the hinted index, whatever the filter says.
    private static func access(
        to range: (min: Document?, max: Document?), by hint: IndexHint?, among indexes: [SecondaryIndex],
        _ collator: Collator?
    ) throws(CommandError) -> Access {
        guard let hint, let index = indexes.first(where: { hint.means($0.definition) }) else { return .collection }
        let keys = try IndexRange(min: range.min, max: range.max, of: index.definition, collator: collator)
        return .keys(KeyScan(index, [keys.interval]))
    }

    func mayUseSecondaryKeys(of collection: Collection) -> Bool {
        if isTailable || bounds != nil || naturalDescending || wantsNaturalOrder { return false }
        if case .natural? = sort?.order { return false }
        guard hint == nil, case .points = KeyConstraint(of: filter, in: collection).shape else { return true }
        return false
    }

    /// The rows to read, one plan after another.
    package func scanPlans(_ collection: Collection) -> [ScanPlan] {
        guard case .union(let scans) = access else { return [scanPlan(collection)] }
        return scans.indices.map { position in
            var plan = scanPlan(collection)
            plan.keys = scans[position]
            plan.earlier = Array(scans[..<position])
            return plan
        }
    }

    /// Narrows a plan by the choice; false when nothing was chosen.
    func narrow(_ plan: inout ScanPlan) -> Bool {
        switch access {
        case .undecided, .collection: return false
        case .keys(let keys): (plan.keys, plan.isExact) = (keys, keys.isExact && bounds == nil)
        case .union: break
        case .text(let keys): narrow(&plan, byText: keys)
        case .textUnion(let scans): plan.among = scans
        case .nothing: (plan.points, plan.isExact) = ([], true)
        }
        return true
    }

    /// Whether the documents come in the order asked for because of the choice; nil when it has no say.
    var accessProvidesSort: Bool? {
        switch access {
        case .undecided, .collection: nil
        case .keys(let keys): keys.providesSort
        case .union: false
        case .text, .textUnion: nil
        case .nothing: true
        }
    }

    private func checkIndexKey() throws(CommandError) {
        guard needsIndexKey else { return }
        let scans: [KeyScan] =
            switch access {
            case .keys(let scan), .text(let scan): [scan]
            case .union(let scans), .textUnion(let scans): scans
            case .undecided, .collection, .nothing: []
            }
        guard let index = scans.first(where: { !$0.index.definition.showsKeys }) else { return }
        throw CommandError(
            .notImplemented, "the keys of index '\(index.index.definition.name)' cannot be shown: see returnKey")
    }

    /// Whether somebody wants to see by which key a document was found.
    var needsIndexKey: Bool { returnsKey || projection?.needsIndexKey == true }

    /// The values of that key: from the document, since keys cannot be turned back into values. Nil where no index was
    /// used.
    func indexKey(of document: RawDocument) -> Document? {
        switch access {
        case .keys(let scan): return scan.keyValues(of: document)
        case .union(let scans): return scans.lazy.compactMap { $0.keyValues(of: document) }.first
        case .undecided, .collection, .text, .textUnion, .nothing: break
        }
        guard usesIDIndex, let id = document["_id"] else { return nil }
        return Document { $0.append("_id", id) }
    }

    /// Whether a cursor of this query can go on by another choice for the same query.
    func canGoOn(by other: FindQuery) -> Bool {
        switch (access, other.access) {
        case (.keys(let left), .keys(let right)): left.isSameWalk(as: right)
        case (.union(let left), .union(let right)):
            left.count == right.count && zip(left, right).allSatisfy { $0.isSameWalk(as: $1) }
        // They stand on a row of the table.
        case (.text, .text), (.textUnion, .textUnion): true
        case (.undecided, _), (.collection, .collection), (.nothing, _): true
        default: false
        }
    }
}

extension Access {
    func noteUse() {
        switch self {
        case .undecided, .collection, .nothing: return
        case .keys(let scan), .text(let scan): scan.index.usage.note()
        case .union(let scans), .textUnion(let scans): for scan in scans { scan.index.usage.note() }
        }
    }

    init(_ plan: AccessPlan, of indexes: [SecondaryIndex]) {
        switch plan {
        case .collection: self = .collection
        case .nothing: self = .nothing
        case .index(let scan): self = .keys(KeyScan(indexes[scan.position], scan))
        case .union(let scans): self = .union(scans.map { KeyScan(indexes[$0.position], $0) })
        case .text(let scan): self = .text(KeyScan(indexes[scan.position], scan))
        case .textUnion(let scans): self = .textUnion(scans.map { KeyScan(indexes[$0.position], $0) })
        }
    }
}
