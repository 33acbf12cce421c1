internal import BSON

/// `$geoWithin` and `$geoIntersects` with their geometry, compiled once per filter.
final class GeoPredicate: Sendable {
    enum Region: Sendable {
        /// Stored points within.
        case flat(FlatRegion)
        /// Stored geometries within.
        case circle(SphereCircle)
        case polygons(SphereShape)
        /// Stored geometries that have a point in common with it.
        case crossing(SphereShape)
    }

    let region: Region

    init(_ region: Region) {
        self.region = region
    }

    func matches(_ value: RawValue) -> Bool {
        // Most values that are no geometry are no containers either.
        guard value.type == .document || value.type == .array else { return false }
        if case .flat(let flat) = region { return GeoPosition(onPlane: value).map(flat.contains) ?? false }
        switch StoredGeometry(onSphere: value) {
        case .position(let position)?: return matches(position)
        case .shape(let shape)?: return matches(shape)
        case nil: return false
        }
    }

    private func matches(_ position: GeoPosition) -> Bool {
        switch region {
        case .flat(let region): region.contains(position)
        case .circle(let circle): circle.contains(position)
        case .polygons(let shape), .crossing(let shape): shape.meets(position)
        }
    }

    /// What is far away is told by circles around it; checking and indexing a polygon takes much longer.
    private func matches(_ stored: SphereShape) -> Bool {
        switch region {
        case .flat: false
        case .circle(let circle): stored.build() && stored.isContained(by: circle)
        case .polygons(let region): !region.cannotContain(stored) && stored.build() && region.contains(stored)
        case .crossing(let region): !region.isFar(from: stored) && stored.build() && region.intersects(stored)
        }
    }
}
