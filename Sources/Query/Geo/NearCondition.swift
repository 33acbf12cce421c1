package import BSON

/// How far documents are from a point, and how far they may be: `$near` and its kin, and the stage `$geoNear`.
///
/// It is both a condition and an order: of a document with several geometries at the path the nearest one counts.
package final class NearCondition: Sendable {
    package enum Metric: Sendable {
        case plane
        /// The distance is an angle in radians.
        case sphere
    }

    /// The kinds of index that MongoDB needs one of to answer it.
    package enum IndexKinds: Sendable {
        case plane, sphere, either
    }

    /// The radius of the earth by which MongoDB turns metres into radians.
    package static let earthRadius = 6_378_100.0

    package struct Nearest {
        package let distance: Double
        /// The value that is so far away, as it is stored.
        package let location: RawValue
    }

    package let indexKinds: IndexKinds
    private let isGeoJSON: Bool
    private let steps: [SortStep]
    let center: GeoPosition
    /// The center as a shape, on the sphere.
    let sphereCenter: SphereShape?
    let range: (least: Double, most: Double)

    /// - Parameters:
    ///   - range: in what a client gives, both ends included; empty when the second is less than the first.
    ///   - isGeoJSON: distances are metres.
    init(
        path: RawKey, center: GeoPosition, metric: Metric, range: (least: Double, most: Double), isGeoJSON: Bool
    ) throws(GeometryFault) {
        indexKinds = isGeoJSON ? .sphere : metric == .plane ? .plane : .either
        self.isGeoJSON = isGeoJSON
        let unit = isGeoJSON ? Self.earthRadius : 1
        steps = path.components.map { SortStep(name: Array($0.bytes), index: $0.arrayIndex ?? -1) }
        self.center = center
        self.range = (range.least / unit, range.most / unit)
        guard metric == .sphere else {
            guard center.isFinite else { throw .offSphere(center) }
            sphereCenter = nil
            return
        }
        let shape = try SphereShape()
        try shape.addPoint(center)
        try shape.buildOrExplain()
        sphereCenter = shape
    }

    /// Whether the geometries stand at the path.
    func isAbout(_ path: IndexPath) -> Bool {
        steps.count == path.components.count && zip(steps, path.components).allSatisfy { $0.name.elementsEqual($1) }
    }

    package func matches(_ document: RawDocument) -> Bool {
        nearestInRange(in: document) != nil
    }

    /// Nil for a document that is not as far away as it must be.
    func nearestInRange(in document: RawDocument) -> Nearest? {
        guard let nearest = nearest(in: document) else { return nil }
        return nearest.distance >= range.least && nearest.distance <= range.most ? nearest : nil
    }

    /// Nil for a document without a geometry at the path.
    package func nearest(in document: RawDocument) -> Nearest? {
        var search = NearestSearch(condition: self)
        steps.withUnsafeBufferPointer { steps in search.visit(document[steps[0]], steps, 1) }
        return search.nearest
    }

    /// A distance as a client is told it: in metres, where the point was a GeoJSON one. MongoDB's radians were metres
    /// before, which shows in the last digit.
    package func reported(_ distance: Double) -> Double {
        guard sphereCenter != nil else { return distance }
        let metres = distance * Self.earthRadius
        return isGeoJSON ? metres : metres / Self.earthRadius
    }

    fileprivate func distance(to value: RawValue) -> Double? {
        guard let sphereCenter else { return GeoPosition(onPlane: value).map(center.planeDistance) }
        switch StoredGeometry(onSphere: value) {
        case .position(let position)?: return sphereCenter.distance(to: position)
        case .shape(let shape)?: return shape.build() ? shape.distance(to: center) : nil
        case nil: return nil
        }
    }
}

/// Finds the nearest of the geometries at a path.
private struct NearestSearch {
    let condition: NearCondition
    private(set) var nearest: NearCondition.Nearest?

    init(condition: NearCondition) {
        self.condition = condition
    }

    /// - Parameter value: what stands at `steps[..<depth]`. The recursion is as deep as the path is long.
    mutating func visit(_ value: RawValue?, _ steps: UnsafeBufferPointer<SortStep>, _ depth: Int) {
        guard let value else { return }
        guard depth < steps.count else { return visitEnd(value) }
        if let document = value.document {
            visit(document[steps[depth]], steps, depth + 1)
        } else if let array = value.array {
            visitElements(array, steps, depth)
        }
    }

    private mutating func visitElements(
        _ array: RawDocument, _ steps: UnsafeBufferPointer<SortStep>, _ depth: Int
    ) {
        if steps[depth].index >= 0, let element = array[steps[depth]] { return visit(element, steps, depth + 1) }
        for element in array {
            if let document = element.value.document { visit(document[steps[depth]], steps, depth + 1) }
        }
    }

    private mutating func visitEnd(_ value: RawValue) {
        if take(value) { return }
        guard let array = value.array else { return }
        for element in array { _ = take(element.value) }
    }

    /// Whether the value is a geometry.
    private mutating func take(_ value: RawValue) -> Bool {
        guard let distance = condition.distance(to: value) else { return false }
        if nearest.map({ distance < $0.distance }) ?? true {
            nearest = NearCondition.Nearest(distance: distance, location: value)
        }
        return true
    }
}
