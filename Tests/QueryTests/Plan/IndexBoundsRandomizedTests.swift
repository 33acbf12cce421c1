import BSON
import CommandModel
import NIOCore
import Testing

@testable import Query

@Suite("Bounds of indexes, randomized")
struct IndexBoundsRandomizedTests {
    @Test("what matches has a key in the bounds, and what has one in exact bounds matches", arguments: 0..<8)
    func law(_ part: Int) throws {
        let seed = UInt64(20_261_121 + part)
        var random = RandomIndexes(seed: seed)
        var (narrow, exact, found) = (0, 0, 0)
        for round in 0..<150 {
            let arrays = part % 4 != 0
            let isPlain = random.isOneIn(3)
            let documents = (0..<12).map { _ in
                json(isPlain ? random.plainObject(arrays: arrays) : random.object(depth: 3, arrays: arrays))
            }
            let index = try FilledIndex(random.specification(), documents)
            for _ in 0..<20 {
                let text = isPlain ? random.plainFilter() : random.filter(depth: random.below(3))
                let filter = try Filter(compiling: json(text))
                let planner = IndexPlanner([])
                guard let bounds = planner.bounds(of: filter, in: index.candidate) else { continue }
                if !bounds.isFull { narrow += 1 }
                if bounds.isExact { exact += 1 }
                for (document, keys) in index.documents {
                    let isMet = keys.contains(where: bounds.contain)
                    let matches = try filter.matches(document)
                    if matches { found += 1 }
                    let isRight = (!matches || isMet) && (!bounds.isExact || !isMet || matches)
                    #expect(
                        isRight,
                        """
                        seed \(seed) round \(round): \(text) on \(index.candidate.definition.keyPattern.text) \
                        sparse \(index.candidate.definition.isSparse) multikey \
                        \(index.candidate.facts.multikeyFields): \(document.text) matches \(matches), in bounds \(isMet)
                        """)
                    if !isRight { return }
                }
            }
        }
        #expect(narrow > 100 && exact > 0 && found > 300, "\(narrow) narrow, \(exact) exact, \(found) found")
    }

    @Test("documents by their first key in the bounds come in the order of the sort", arguments: 0..<4)
    func order(_ part: Int) throws {
        let seed = UInt64(20_271_121 + part)
        var random = RandomIndexes(seed: seed)
        var sorted = 0
        for round in 0..<150 {
            let (arrays, isPlain) = (part % 2 != 0, !random.isOneIn(3))
            let documents = (0..<12).map { _ in
                json(isPlain ? random.plainObject(arrays: arrays) : random.object(depth: 3, arrays: arrays))
            }
            let index = try FilledIndex(random.specification(), documents)
            for _ in 0..<20 {
                let filter = isPlain ? random.plainFilter() : random.filter(depth: random.below(2))
                let text = random.isOneIn(3) ? "{}" : filter
                let whole = index.candidate.definition.keyPattern
                let pattern = random.isOneIn(3) ? random.pattern() : random.order(of: whole)
                let sort = try SortPattern(compiling: json(pattern))
                let request = PlanRequest(try Filter(compiling: json(text)), sort: sort)
                guard case .index(let scan) = try IndexPlanner([index.candidate]).plan(request), scan.providesSort
                else { continue }
                // What cannot be sorted otherwise (arrays side by side) may come from an index.
                let keys = try index.found(by: scan, request.filter).compactMap { document in
                    document.withRaw { raw in try? sort.key(of: raw) }
                }
                sorted += keys.count > 2 ? 1 : 0
                let isRight = zip(keys, keys.dropFirst()).allSatisfy { !$1.lexicographicallyPrecedes($0) }
                #expect(
                    isRight,
                    """
                    seed \(seed) round \(round): \(text) sort \(pattern) on \
                    \(index.candidate.definition.specification.text) multikey \(index.candidate.facts.multikeyFields)
                    """)
                if !isRight { return }
            }
        }
        #expect(sorted > 300, "\(sorted) sorted")
    }

    @Test("comparisons in $expr have bounds", arguments: 0..<2)
    func expressions(_ part: Int) throws {
        let seed = UInt64(20_281_121 + part)
        var random = RandomIndexes(seed: seed)
        var narrow = 0
        let environment = ExpressionEnvironment(now: 0)
        for round in 0..<100 {
            let documents = (0..<12).map { _ in json(random.object(depth: 2, arrays: part == 1)) }
            let index = try FilledIndex(#"{"key":{"\#(random.pick(["a", "b", "a.b"]))":1}}"#, documents)
            for _ in 0..<20 {
                let path = random.pick(["$a", "$b", "$a.b"])
                let name = random.pick(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"])
                let text = #"{"$expr":{"\#(name)":["\#(path)",\#(random.scalar())]}}"#
                let filter = try Filter(compiling: json(text), environment: environment)
                guard let bounds = IndexPlanner([]).bounds(of: filter, in: index.candidate) else { continue }
                if !bounds.isFull { narrow += 1 }
                for (document, keys) in index.documents where try filter.matches(document) {
                    #expect(
                        keys.contains(where: bounds.contain), "seed \(seed) round \(round): \(text) \(document.text)")
                }
            }
        }
        #expect(narrow > 100)
    }
}

extension FilledIndex {
    /// What a scan finds, as a reader does who goes over the keys.
    func found(by scan: IndexScan, _ filter: Filter) throws -> [Document] {
        var met: [(key: [UInt8], document: Document)] = []
        for (document, keys) in documents where try filter.matches(document) {
            let inside = keys.map { Array($0.readableBytesView) }.compactMap(scan.placeInOrder)
            let first = scan.isReversed ? inside.max(by: precedes) : inside.min(by: precedes)
            if let first { met.append((first, document)) }
        }
        met.sort { scan.isReversed ? precedes($1.key, $0.key) : precedes($0.key, $1.key) }
        return met.map(\.document)
    }

    private func precedes(_ left: [UInt8], _ right: [UInt8]) -> Bool { left.lexicographicallyPrecedes(right) }
}

extension IndexScan {
    /// What of a key counts for the order; nil for one that is not in the bounds.
    fileprivate func placeInOrder(_ key: [UInt8]) -> [UInt8]? {
        for (place, interval) in bounds.intervals.enumerated()
        where !key.lexicographicallyPrecedes(interval.lower) && key.lexicographicallyPrecedes(interval.upper) {
            return mergedFields > 0 ? Array(key.dropFirst(bounds.mergedBytes[place])) : key
        }
        return nil
    }
}
