internal import BSON

/// What a stored value is to the geometry operators.
enum StoredGeometry {
    /// A GeoJSON `Point`, or a pair of numbers.
    case position(GeoPosition)
    /// Any other GeoJSON geometry; not built yet, and perhaps not valid.
    case shape(SphereShape)

    /// Nil for what is no geometry on the sphere.
    init?(onSphere value: RawValue) {
        do throws(GeometryFault) { try self.init(readingOnSphere: value) } catch { return nil }
    }

    init(readingOnSphere value: RawValue) throws(GeometryFault) {
        guard let document = value.document else {
            guard value.type == .array else { throw .malformed("geo element must be an array or object") }
            self = .position(try Self.pair(value))
            return
        }
        let fields = GeoJSONFields(document)
        guard let type = GeoJSONType(fields.type) else {
            self = .position(try Self.pair(value))
            return
        }
        // The strict winding order is for queries; what is stored has none.
        guard try GeoJSONSystem(fields.crs) == .sphere else { throw .malformed("unknown CRS of a stored geometry") }
        if type == .point {
            self = .position(try GeoJSONReader.position(fields.coordinates))
        } else {
            self = .shape(try GeoJSONReader.shape(of: fields, type))
        }
    }

    private static func pair(_ value: RawValue) throws(GeometryFault) -> GeoPosition {
        guard let position = GeoPosition(value) else { throw .malformed("Point must only contain numeric elements") }
        guard position.isOnSphere else { throw .offSphere(position) }
        return position
    }
}

extension GeoPosition {
    /// A stored value as a point of the plane: a pair of numbers, or a GeoJSON `Point`.
    init?(onPlane value: RawValue) {
        if let document = value.document {
            let fields = GeoJSONFields(document)
            if let type = GeoJSONType(fields.type) {
                guard type == .point, case .position(let position)? = StoredGeometry(onSphere: value) else {
                    return nil
                }
                self = position
                return
            }
        }
        guard let position = GeoPosition(value), position.isFinite else { return nil }
        self = position
    }
}
