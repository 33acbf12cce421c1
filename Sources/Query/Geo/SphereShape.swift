internal import CS2

/// A geometry on the sphere: points, lines and polygons.
///
// Safety: parts are added before one thread builds it; afterwards it never changes, and S2 allows many readers.
final class SphereShape: @unchecked Sendable {
    /// The cost of a comparison is the product of both numbers of parts, so a client may not choose both freely.
    static let queryPartsMax = 10_000
    /// The cost of a polygon grows with the square of the number of its holes: about a second at this number.
    static let ringsMax = 4_000

    let shape: OpaquePointer
    private(set) var partCount = 0

    init() throws(GeometryFault) {
        guard let shape = cs2_shape_create() else { throw .malformed("no memory for a geometry") }
        self.shape = shape
    }

    deinit { cs2_shape_destroy(shape) }

    func addPoint(_ position: GeoPosition) throws(GeometryFault) {
        partCount += 1
        guard cs2_shape_add_point(shape, position.x, position.y) else { throw .offSphere(position) }
    }

    /// - Parameter coordinates: pairs of longitude and latitude on the sphere.
    func addLine(_ coordinates: [Double]) throws(GeometryFault) {
        partCount += 1
        guard cs2_shape_add_line(shape, coordinates, coordinates.count / 2) else {
            throw .malformed("GeoJSON LineString must have at least 2 different vertices")
        }
    }

    /// - Parameter ringCounts: how many points each ring has; their coordinates follow one another.
    func addPolygon(_ coordinates: [Double], ringCounts: [Int], isStrict: Bool) throws(GeometryFault) {
        partCount += 1
        guard ringCounts.count <= Self.ringsMax else { throw .malformed("Polygon has too many holes") }
        guard !isStrict || ringCounts.count == 1 else {
            throw .malformed("Only one simple loop is allowed in a polygon with strict winding order")
        }
        guard cs2_shape_add_polygon(shape, coordinates, ringCounts, ringCounts.count, isStrict) else {
            throw .malformed("Loop must have at least 3 different vertices")
        }
    }

    /// Whether the shape is a valid one. Nothing that needs a built shape may be asked before.
    func build() -> Bool { cs2_shape_build(shape, nil, 0) }

    /// - Throws: the reason why the shape is not valid.
    func buildOrExplain(partsMax: Int = queryPartsMax) throws(GeometryFault) {
        guard partCount <= partsMax else { throw .malformed("Geometry has too many parts") }
        let reason: String? = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            buffer.initialize(repeating: 0)
            guard !cs2_shape_build(shape, buffer.baseAddress, buffer.count) else { return nil }
            return buffer.baseAddress.map { String(cString: $0) } ?? ""
        }
        if let reason { throw .invalid(reason) }
    }
}

// Relations. Those named `is…` and `cannot…` need no build; the others need one of both.
extension SphereShape {
    func isFar(from other: SphereShape) -> Bool { cs2_shape_is_far(shape, other.shape) }

    func cannotContain(_ other: SphereShape) -> Bool { cs2_region_cannot_contain(shape, other.shape) }

    func intersects(_ other: SphereShape) -> Bool { cs2_shape_intersects(shape, other.shape) }

    /// A point is met within a polygon, on a border, on a line: up to a centimetre.
    func meets(_ position: GeoPosition) -> Bool { cs2_shape_intersects_point(shape, position.x, position.y) }

    func contains(_ other: SphereShape) -> Bool { cs2_region_contains(shape, other.shape) }

    /// In radians, 0 within a polygon.
    func distance(to position: GeoPosition) -> Double { cs2_shape_distance(shape, position.x, position.y) }

    func isContained(by circle: SphereCircle) -> Bool {
        cs2_circle_contains(circle.center.x, circle.center.y, circle.radius, shape)
    }
}

/// All points up to a distance from a center, in radians.
struct SphereCircle: Sendable {
    let center: GeoPosition
    let radius: Double
    private let centerShape: SphereShape

    init(center: GeoPosition, radius: Double) throws(GeometryFault) {
        self.center = center
        self.radius = radius
        centerShape = try SphereShape()
        try centerShape.addPoint(center)
        try centerShape.buildOrExplain()
    }

    func distance(to position: GeoPosition) -> Double { centerShape.distance(to: position) }

    func contains(_ position: GeoPosition) -> Bool { distance(to: position) <= radius + Self.rounding }

    /// Of a distance between two points that were given in degrees.
    private static let rounding = 1e-15
}
