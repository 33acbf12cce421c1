internal import BSON

// Whether the keys of an index come in the order of a sort.
extension BoundsBuilder {
    /// How to walk over the keys to meet documents in the order of a sort.
    struct Walk: Equatable {
        var isBackward = false
        /// See ``IndexScan/mergedFields``.
        var mergedFields = 0
    }

    /// As many walks are merged at most; as in MongoDB.
    private static let mergedMax = 200

    /// The walk over the keys within the bounds that meets documents in the order of `sort`, each by its first key
    /// there; nil when there is none.
    ///
    /// Fields of the index that have the same value in all documents of the result may stand between those of the
    /// sort. Fields with several values may stand before them: a walk for each, and these are merged. The place of a
    /// document with several values for a field is that of its least (or greatest) one, be it in the bounds or not:
    /// such a field must be free of bounds, and so must be what shares an array with it.
    func walk(for sort: SortPattern, _ demands: Demands) -> Walk? {
        // The order of keys that are cut is not that of their values.
        guard !facts.hasCutKeys, sort.collator?.collation == order.collator?.collation else { return nil }
        guard sort.fields.allSatisfy({ $0.source == .path }) else { return nil }
        if let direction = direction(of: sort, demands, from: 0) { return Walk(isBackward: direction == .backward) }
        guard let first = sort.fields.first(where: { !isConstant($0.path, demands) }),
            let start = fields.firstIndex(where: { $0.path == first.path }),
            areMergeable(demands.sets[..<start]), let direction = direction(of: sort, demands, from: start)
        else { return nil }
        return Walk(isBackward: direction == .backward, mergedFields: start)
    }

    private func areMergeable(_ sets: ArraySlice<IntervalSet>) -> Bool {
        var count = 1
        for set in sets {
            guard set.isOfPoints, set.intervals.count <= Self.mergedMax else { return false }
            count *= set.intervals.count
            guard count <= Self.mergedMax else { return false }
        }
        return count > 1
    }

    private enum Direction { case forward, backward }

    /// - Parameter start: the first field whose order counts.
    private func direction(of sort: SortPattern, _ demands: Demands, from start: Int) -> Direction? {
        var position = start
        var direction: Direction?
        for field in sort.fields where !isConstant(field.path, demands) {
            while position < fields.count, fields[position].path != field.path, isPassable(position, demands) {
                position += 1
            }
            guard position < fields.count, fields[position].path == field.path, isFree(position, demands) else {
                return nil
            }
            let needed: Direction
            switch fields[position].kind {
            case .ascending: needed = field.isDescending ? .backward : .forward
            case .descending: needed = field.isDescending ? .forward : .backward
            default: return nil
            }
            guard direction == nil || direction == needed else { return nil }
            direction = needed
            position += 1
        }
        return direction ?? .forward
    }

    /// All documents of the result have one value, and the same.
    private func isConstant(_ path: String, _ demands: Demands) -> Bool {
        fields.indices.contains { position in
            fields[position].path == path && !facts.isMultikey(field: position)
                && demands.sets[position].onlyPoint != nil
        }
    }

    /// A field that does not disturb the order of those behind it.
    private func isPassable(_ position: Int, _ demands: Demands) -> Bool {
        guard demands.sets[position].onlyPoint != nil else { return false }
        // Of several values only the bounds choose one.
        return !facts.isMultikey(field: position) || demands.sets[..<position].allSatisfy { $0.onlyPoint != nil }
    }

    private func isFree(_ position: Int, _ demands: Demands) -> Bool {
        guard facts.isMultikey(field: position) else { return true }
        // Of the elements that lack all fields a sparse index has no keys, and they count for the order.
        guard !isSparse, demands.sets[position].isEverything else { return false }
        let path = IndexPath(fields[position].path)
        return fields.indices.allSatisfy { other in
            !facts.isMultikey(field: other) || demands.sets[other].isEverything
                || IndexPath(fields[other].path).common(with: path) == nil
        }
    }
}
