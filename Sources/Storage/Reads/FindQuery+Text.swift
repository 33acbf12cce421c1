internal import BSON
internal import CommandModel
internal import Query

// `$text`: by the one text index of the collection, or not at all.
extension FindQuery {
    func choosingTextIndex(in collection: Collection, counting: Bool) throws(StorageError) -> FindQuery {
        var query = self
        let indexes = collection.readyIndexes
        query.filter = try filter.boundToTextIndex(of: collection)
        do throws(CommandError) {
            try checkTextOrder()
            let planner = IndexPlanner(
                indexes.map {
                    IndexCandidate(definition: $0.definition, facts: $0.facts, statistics: $0.statistics.current)
                })
            query.access = Access(try planner.plan(PlanRequest(query.filter)), of: indexes)
            // Who is found by the words need not be asked for them.
            if case .text(let scan) = query.access {
                query.filter = try filter.bound(to: scan.index.definition, trustingTerms: true)
            }
        } catch { throw .command(error) }
        if counting { query.access.noteUse() }
        return query
    }

    /// What `$text` does not go along with.
    private func checkTextOrder() throws(CommandError) {
        guard hint == nil, keyRange == nil, bounds == nil, !wantsNaturalOrder || sort != nil else {
            throw CommandError(.badValue, "$text queries may not specify a hint")
        }
        let isNatural: Bool = if case .natural? = sort?.order { true } else { false }
        guard !isNatural, !wantsNaturalOrder else {
            throw CommandError(.badValue, "text expression not allowed with $natural sort order")
        }
    }

    func narrow(_ plan: inout ScanPlan, byText keys: KeyScan) {
        plan.isExact = keys.isExact
        if wantsTextScore { plan.scored = keys } else { plan.among = [keys] }
    }

    /// Whether somebody asks how well the documents fit.
    var wantsTextScore: Bool { carriesTextScore || sort?.usesTextScore == true }

    func textScore(of row: borrowing Scanner.Row) -> Double {
        guard let scores = row.scores else { return filter.textScore(of: row.document) }
        return TextScore.sum(of: scores)
    }
}

extension FindQuery {
    /// Puts a row where it belongs.
    @inline(__always)
    func insert(
        _ row: borrowing Scanner.Row, into sorter: inout ExternalSorter, by pattern: SortPattern
    ) throws(CommandError) {
        guard wantsTextScore else {
            return try sorter.insert(key: try pattern.key(of: row.document), rid: row.rid, row: row.document)
        }
        let (plain, rid) = (row.document, row.rid)
        try TextScore.withDocument(plain, scoring: textScore(of: row)) { document throws(CommandError) in
            let kept = carriesTextScore ? document : plain
            try sorter.insert(key: try pattern.key(of: document), rid: rid, row: kept)
        }
    }
}

extension Filter {
    /// The same filter with the text index by which its `$text` is understood.
    ///
    /// - Throws: IndexNotFound (27) where there is none, NoQueryExecutionPlans (291) where it is hidden.
    func boundToTextIndex(of collection: Collection) throws(StorageError) -> Filter {
        guard searchesText else { return self }
        do throws(CommandError) {
            guard let index = collection.readyIndexes.first(where: { $0.definition.isText }) else {
                throw CommandError.textIndexMissing
            }
            guard !index.definition.isHidden else { throw CommandError.noTextPlan }
            return try bound(to: index.definition, trustingTerms: false)
        } catch { throw .command(error) }
    }
}

extension DocumentOperation {
    /// The same operation, whose filter can be asked about any version of a document.
    func bound(in collection: Collection) throws(StorageError) -> DocumentOperation {
        guard filter.searchesText else { return self }
        var copy = self
        copy.filter = try filter.boundToTextIndex(of: collection)
        return copy
    }
}
