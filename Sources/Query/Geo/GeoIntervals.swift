internal import BSON

// Where the keys of geometries lie that a query asks for: see ``GeoKeyMaker`` for what they are.

extension IndexDefinition {
    /// What a `2d` index divides the plane into.
    var planeGrid: PlaneGrid? {
        guard fields.contains(where: { $0.kind == .plane }) else { return nil }
        return specification.withRaw { PlaneGrid($0) }
    }

    fileprivate func intervals(meeting cells: [SphereCell]) -> [KeyInterval] {
        GeoKeyMaker.intervals(SphereCell.ranges(meeting: cells))
    }
}

extension GeoPredicate {
    /// In which intervals of the field's part of the keys of an index each document has a key that matches, ascending
    /// and disjoint; nil when such an index cannot tell.
    func intervals(of kind: IndexDefinition.Field.Kind, in index: IndexDefinition) -> [KeyInterval]? {
        switch (kind, region) {
        case (.plane, .flat(let region)):
            index.planeGrid.map { GeoKeyMaker.intervals($0.ranges(meeting: region.bounds)) }
        case (.sphere, .circle(let circle)): index.intervals(meeting: circle.queryCovering)
        case (.sphere, .polygons(let shape)), (.sphere, .crossing(let shape)):
            index.intervals(meeting: shape.queryCovering)
        default: nil
        }
    }
}

extension NearCondition {
    /// The same for what is no farther away than the condition allows.
    func intervals(of kind: IndexDefinition.Field.Kind, in index: IndexDefinition) -> [KeyInterval]? {
        switch (kind, sphereCenter) {
        case (.plane, nil):
            index.planeGrid.map { GeoKeyMaker.intervals($0.ranges(meeting: FlatBox(around: center, range.most))) }
        case (.sphere, _?):
            index.intervals(meeting: SphereCell.covering(center, radius: range.most))
        default: nil
        }
    }
}

extension GeoKeyMaker {
    fileprivate static func intervals(_ ranges: [ClosedRange<UInt64>]) -> [KeyInterval] {
        var intervals: [KeyInterval] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            let lower = part(range.lowerBound)
            let upper = range.upperBound == .max ? [lower[0] + 1] : part(range.upperBound + 1)
            guard let last = intervals.last, !last.upper.lexicographicallyPrecedes(lower) else {
                intervals.append(KeyInterval(lower: lower, upper: upper))
                continue
            }
            if last.upper.lexicographicallyPrecedes(upper) { intervals[intervals.count - 1].upper = upper }
        }
        return intervals
    }
}

extension FlatRegion {
    fileprivate var bounds: FlatBox {
        switch self {
        case .box(let box): box
        case .circle(let center, let radius): FlatBox(around: center, radius)
        case .polygon(let polygon): polygon.bounds
        }
    }
}

extension FlatBox {
    fileprivate init(around center: GeoPosition, _ radius: Double) {
        self.init(
            GeoPosition(x: center.x - radius, y: center.y - radius),
            GeoPosition(x: center.x + radius, y: center.y + radius))
    }
}
