package import BSON

/// Two numbers: longitude and latitude in degrees, or x and y on a plane.
package struct GeoPosition: Sendable, Equatable {
    package let x: Double
    package let y: Double

    package init(x: Double, y: Double) {
        self.x = x
        self.y = y
    }

    /// The first two values of an array or a document, which must be numbers; what comes after them may be anything,
    /// as an altitude.
    package init?(_ value: RawValue) {
        guard let container = value.container else { return nil }
        var elements = container.makeIterator()
        guard let x = elements.next()?.value.coordinate, let y = elements.next()?.value.coordinate else { return nil }
        self.init(x: x, y: y)
    }

    /// Two numbers and nothing else.
    init?(exactly value: RawValue) {
        guard value.container?.elementCount == 2 else { return nil }
        self.init(value)
    }

    /// False for NaN as well.
    package var isOnSphere: Bool { abs(x) <= 180 && abs(y) <= 90 }

    var isFinite: Bool { x.isFinite && y.isFinite }

    func planeDistance(to other: GeoPosition) -> Double {
        let (width, height) = (x - other.x, y - other.y)
        return (width * width + height * height).squareRoot()
    }
}

extension RawValue {
    @inline(__always)
    var coordinate: Double? { double ?? number?.asDouble }
}
