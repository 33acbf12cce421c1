internal import BSON

/// The seven kinds of GeoJSON geometries.
enum GeoJSONType {
    case point, lineString, polygon, multiPoint, multiLineString, multiPolygon, geometryCollection

    init?(_ value: RawValue?) {
        guard value?.type == .string, let name = value?.stringBytes, let start = name.baseAddress else { return nil }
        switch RawKey(start: start, count: name.count) {
        case "Point": self = .point
        case "LineString": self = .lineString
        case "Polygon": self = .polygon
        case "MultiPoint": self = .multiPoint
        case "MultiLineString": self = .multiLineString
        case "MultiPolygon": self = .multiPolygon
        case "GeometryCollection": self = .geometryCollection
        default: return nil
        }
    }
}

/// The fields of a GeoJSON object that count, the first of each name.
struct GeoJSONFields {
    private(set) var type: RawValue?
    private(set) var coordinates: RawValue?
    private(set) var geometries: RawValue?
    private(set) var crs: RawValue?

    init(_ document: RawDocument) {
        for element in document {
            switch element.key {
            case "type": type = type ?? element.value
            case "coordinates": coordinates = coordinates ?? element.value
            case "geometries": geometries = geometries ?? element.value
            case "crs": crs = crs ?? element.value
            default: continue
            }
        }
    }
}

/// The names of coordinate systems that are the sphere; they differ in what a border encloses.
enum GeoJSONSystem {
    case sphere, strictWinding

    init(_ value: RawValue?) throws(GeometryFault) {
        guard let value else {
            self = .sphere
            return
        }
        guard let crs = value.document else { throw .malformed("GeoJSON CRS must be an object") }
        guard crs["type"]?.string == "name" else { throw .malformed("GeoJSON CRS must have field \"type\": \"name\"") }
        guard let properties = crs["properties"]?.document else {
            throw .malformed("CRS must have field \"properties\" which is an object")
        }
        switch properties["name"]?.string {
        case "EPSG:4326", "urn:ogc:def:crs:OGC:1.3:CRS84": self = .sphere
        case "urn:x-mongodb:crs:strictwinding:EPSG:4326": self = .strictWinding
        case nil: throw .malformed("In CRS, \"properties.name\" must be a string")
        default: throw .malformed("Unknown CRS name")
        }
    }
}

/// Reads one GeoJSON geometry into a shape.
struct GeoJSONReader {
    private let shape: SphereShape
    private var coordinates: [Double] = []

    /// - Returns: a shape that is not built yet.
    static func shape(of fields: GeoJSONFields, _ type: GeoJSONType) throws(GeometryFault) -> SphereShape {
        var reader = GeoJSONReader(shape: try SphereShape())
        let system = try GeoJSONSystem(fields.crs)
        guard system == .sphere || type == .polygon else {
            throw .malformed("Only a Polygon may have the CRS of strict winding order")
        }
        if type == .geometryCollection {
            try reader.readCollection(fields.geometries)
        } else {
            try reader.read(type, fields.coordinates, isStrict: system == .strictWinding)
        }
        return reader.shape
    }

    /// The `Point` that distances are measured from; its type may be left out.
    static func point(_ fields: GeoJSONFields) throws(GeometryFault) -> GeoPosition {
        guard fields.type == nil || GeoJSONType(fields.type) == .point else {
            throw .malformed("Distances are measured from a GeoJSON Point")
        }
        guard try GeoJSONSystem(fields.crs) == .sphere else {
            throw .malformed("Distances are not measured with the CRS of strict winding order")
        }
        return try position(fields.coordinates)
    }

    /// The position of a GeoJSON `Point`.
    static func position(_ value: RawValue?) throws(GeometryFault) -> GeoPosition {
        guard let value, let position = GeoPosition(value) else {
            throw .malformed("Point must be an array or object of at least two numbers")
        }
        guard position.isOnSphere else { throw .offSphere(position) }
        return position
    }

    private mutating func readCollection(_ value: RawValue?) throws(GeometryFault) {
        guard let geometries = value?.array, !geometries.isEmpty else {
            throw .malformed("GeometryCollection geometries must be a non-empty array")
        }
        for element in geometries {
            guard let document = element.value.document else {
                throw .malformed("Each element of GeometryCollection geometries must be an object")
            }
            let fields = GeoJSONFields(document)
            // Collections within collections are none of the kinds allowed, so this goes no deeper.
            guard let type = GeoJSONType(fields.type), type != .geometryCollection else {
                throw .malformed("An element of GeometryCollection geometries has an unknown type")
            }
            guard try GeoJSONSystem(fields.crs) == .sphere else {
                throw .malformed("Within a GeometryCollection there is no strict winding order")
            }
            try read(type, fields.coordinates, isStrict: false)
        }
    }

    private mutating func read(_ type: GeoJSONType, _ value: RawValue?, isStrict: Bool) throws(GeometryFault) {
        guard let value else { throw .malformed("GeoJSON coordinates are missing") }
        switch type {
        case .point: try shape.addPoint(Self.position(value))
        case .lineString: try readLine(value)
        case .polygon: try readPolygon(value, isStrict: isStrict)
        case .multiPoint:
            for member in try members(value) { try shape.addPoint(Self.position(member.value)) }
        case .multiLineString:
            for member in try members(value) { try readLine(member.value) }
        case .multiPolygon:
            for member in try members(value) { try readPolygon(member.value, isStrict: false) }
        case .geometryCollection: throw .malformed("A GeometryCollection has no coordinates")
        }
    }

    private func members(_ value: RawValue) throws(GeometryFault) -> RawDocument {
        guard let members = value.array, !members.isEmpty else {
            throw .malformed("GeoJSON coordinates must be a non-empty array")
        }
        return members
    }

    private mutating func readLine(_ value: RawValue) throws(GeometryFault) {
        coordinates.removeAll(keepingCapacity: true)
        _ = try appendPositions(value)
        try shape.addLine(coordinates)
    }

    private mutating func readPolygon(_ value: RawValue, isStrict: Bool) throws(GeometryFault) {
        coordinates.removeAll(keepingCapacity: true)
        var ringCounts: [Int] = []
        for ring in try members(value) {
            let start = coordinates.count
            let count = try appendPositions(ring.value)
            let isClosed = coordinates[start..<start + 2].elementsEqual(coordinates.suffix(2))
            guard count >= 4, isClosed else {
                throw .malformed("Loop is not closed, or has less than 4 positions")
            }
            ringCounts.append(count)
        }
        try shape.addPolygon(coordinates, ringCounts: ringCounts, isStrict: isStrict)
    }

    /// - Returns: how many positions; at least one.
    private mutating func appendPositions(_ value: RawValue) throws(GeometryFault) -> Int {
        var count = 0
        for member in try members(value) {
            let position = try Self.position(member.value)
            coordinates.append(position.x)
            coordinates.append(position.y)
            count += 1
        }
        return count
    }
}
