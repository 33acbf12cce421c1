/// A region on the plane: `$box`, `$center`, `$polygon`.
enum FlatRegion: Sendable {
    case box(FlatBox)
    case circle(center: GeoPosition, radius: Double)
    case polygon(FlatPolygon)

    /// Borders belong to a box and to a circle.
    func contains(_ position: GeoPosition) -> Bool {
        switch self {
        case .box(let box): box.contains(position)
        case .circle(let center, let radius): center.planeDistance(to: position) <= radius
        case .polygon(let polygon): polygon.contains(position)
        }
    }
}

struct FlatBox: Sendable {
    private(set) var low: GeoPosition
    private(set) var high: GeoPosition

    /// Between any two opposite corners.
    init(_ corner: GeoPosition, _ opposite: GeoPosition) {
        low = GeoPosition(x: min(corner.x, opposite.x), y: min(corner.y, opposite.y))
        high = GeoPosition(x: max(corner.x, opposite.x), y: max(corner.y, opposite.y))
    }

    mutating func extend(to position: GeoPosition) {
        low = GeoPosition(x: min(low.x, position.x), y: min(low.y, position.y))
        high = GeoPosition(x: max(high.x, position.x), y: max(high.y, position.y))
    }

    func contains(_ position: GeoPosition) -> Bool {
        position.x >= low.x && position.x <= high.x && position.y >= low.y && position.y <= high.y
    }
}

/// What an odd number of its edges is to the right of. Corners and edges along an axis belong to it; of the other
/// edges only those with the inside to their right, so that polygons side by side share no point there.
struct FlatPolygon: Sendable {
    private let corners: [GeoPosition]
    let bounds: FlatBox

    /// Nil for less than three corners.
    init?(_ corners: [GeoPosition]) {
        guard corners.count >= 3 else { return nil }
        self.corners = corners
        bounds = corners.reduce(into: FlatBox(corners[0], corners[0])) { $0.extend(to: $1) }
    }

    func contains(_ position: GeoPosition) -> Bool {
        guard bounds.contains(position) else { return false }
        var isInside = false
        for (index, start) in corners.enumerated() {
            let end = corners[index + 1 == corners.count ? 0 : index + 1]
            if Self.isOnAxisEdge(position, start, end) { return true }
            if Self.isLeftOfEdge(position, start, end) { isInside.toggle() }
        }
        return isInside
    }

    private static func isOnAxisEdge(_ position: GeoPosition, _ start: GeoPosition, _ end: GeoPosition) -> Bool {
        if position == start { return true }
        guard start.x == end.x || start.y == end.y else { return false }
        return FlatBox(start, end).contains(position)
    }

    /// Whether a ray to the right crosses the edge. The lower end of an edge is not part of it here, so that a ray
    /// through a corner crosses once.
    private static func isLeftOfEdge(_ position: GeoPosition, _ start: GeoPosition, _ end: GeoPosition) -> Bool {
        guard position.y > min(start.y, end.y), position.y <= max(start.y, end.y), position.x <= max(start.x, end.x)
        else { return false }
        if start.x == end.x { return true }
        return position.x <= (position.y - start.y) * (end.x - start.x) / (end.y - start.y) + start.x
    }
}
