internal import BSON
internal import CommandModel

/// The operators on geometries, with their old names.
enum GeoOperator {
    case within, intersects, near, nearSphere

    init?(_ key: RawKey) {
        switch key {
        case "$geoWithin", "$within": self = .within
        case "$geoIntersects": self = .intersects
        case "$near", "$geoNear": self = .near
        case "$nearSphere": self = .nearSphere
        default: return nil
        }
    }

    var isNear: Bool { self == .near || self == .nearSphere }
}

extension FilterCompiler {
    /// A geometry operator takes all operators of its path as its own: none may stand beside it.
    ///
    /// - Returns: whether there is one.
    mutating func compileGeometry(
        _ path: FieldPath, _ operators: RawDocument, into conjunction: inout Conjunction
    ) throws(CommandError) -> Bool {
        guard let found = try geoOperator(of: operators) else { return false }
        if found.isNear {
            note(path.whole, .other)
            conjunction.add(.near(try nearCondition(path, operators)))
        } else {
            add(path, .geometry(try region(operators)), to: &conjunction)
        }
        return true
    }

    /// The same for single values, where no order by distance can be had.
    func geometryTest(_ operators: RawDocument) throws(CommandError) -> ValueTest? {
        guard let found = try geoOperator(of: operators) else { return nil }
        guard !found.isNear else { throw nearIsMisplaced }
        return .geometry(try region(operators))
    }

    private func geoOperator(of operators: RawDocument) throws(CommandError) -> GeoOperator? {
        var isFirst = true
        for element in operators {
            if let found = GeoOperator(element.key) {
                guard isFirst || !found.isNear else {
                    throw CommandError(.badValue, "near must be first in: \(operators.errorText)")
                }
                return found
            }
            isFirst = false
        }
        return nil
    }

    private func region(_ operators: RawDocument) throws(CommandError) -> Unmanaged<GeoPredicate> {
        var region: GeoPredicate.Region?
        for element in operators where !(element.key == "$uniqueDocs") {
            guard region == nil, let found = GeoOperator(element.key), !found.isNear else {
                throw CommandError(.badValue, "can't parse extra field: \(element.key.string)")
            }
            guard let argument = element.value.document else {
                throw CommandError(.badValue, "\(element.key.string) needs an object, not \(element.value.errorText)")
            }
            do throws(GeometryFault) {
                region = found == .within ? try Self.within(argument) : try Self.crossing(argument)
            } catch { throw error.commandError }
        }
        guard let region else { throw CommandError(.badValue, "a geometry operator needs a geometry") }
        return arena.keep(GeoPredicate(region))
    }

    /// What `$geoWithin` may have: exactly one shape. `$uniqueDocs` has had no meaning for long.
    private static func within(_ argument: RawDocument) throws(GeometryFault) -> GeoPredicate.Region {
        var region: GeoPredicate.Region?
        for element in argument where !(element.key == "$uniqueDocs") {
            guard region == nil else { throw .malformed("$geoWithin takes one shape only") }
            let value = element.value
            switch element.key {
            case "$geometry": region = .polygons(try polygons(value))
            case "$box": region = .flat(try LegacyShape.box(value))
            case "$polygon": region = .flat(try LegacyShape.polygon(value))
            case "$center": region = .flat(try LegacyShape.circle(value))
            case "$centerSphere": region = .circle(try LegacyShape.sphereCircle(value))
            default: throw .malformed("unknown geo specifier in $geoWithin")
            }
        }
        guard let region else { throw .malformed("$geoWithin needs a shape") }
        return region
    }

    private static func polygons(_ value: RawValue) throws(GeometryFault) -> SphereShape {
        guard let document = value.document else { throw .malformed("$geometry must be an object") }
        let fields = GeoJSONFields(document)
        guard let type = GeoJSONType(fields.type), type == .polygon || type == .multiPolygon else {
            throw .malformed("$geoWithin needs a GeoJSON Polygon or MultiPolygon")
        }
        let shape = try GeoJSONReader.shape(of: fields, type)
        try shape.buildOrExplain()
        return shape
    }

    private static func crossing(_ argument: RawDocument) throws(GeometryFault) -> GeoPredicate.Region {
        guard let element = argument.firstElement, element.key == "$geometry", argument.elementCount == 1 else {
            throw .malformed("$geoIntersects needs a $geometry and nothing else")
        }
        let shape = try anyGeometry(element.value)
        try shape.buildOrExplain()
        return .crossing(shape)
    }

    private static func anyGeometry(_ value: RawValue) throws(GeometryFault) -> SphereShape {
        if let document = value.document {
            let fields = GeoJSONFields(document)
            if let type = GeoJSONType(fields.type) { return try GeoJSONReader.shape(of: fields, type) }
        }
        guard let position = GeoPosition(exactly: value) else {
            throw .malformed("$geometry must be a GeoJSON geometry or a pair of numbers")
        }
        let shape = try SphereShape()
        try shape.addPoint(position)
        return shape
    }
}

/// The shapes of old: positions are pairs of numbers, without a type.
enum LegacyShape {
    static func box(_ value: RawValue) throws(GeometryFault) -> FlatRegion {
        // Further corners are not looked at.
        let corners = try positions(value, countMax: 2)
        guard corners.count == 2 else { throw .malformed("$box needs two corners") }
        return .box(FlatBox(corners[0], corners[1]))
    }

    static func polygon(_ value: RawValue) throws(GeometryFault) -> FlatRegion {
        guard let polygon = FlatPolygon(try positions(value, countMax: .max)) else {
            throw .malformed("$polygon needs at least three points")
        }
        return .polygon(polygon)
    }

    static func circle(_ value: RawValue) throws(GeometryFault) -> FlatRegion {
        let (center, radius) = try centerAndRadius(value)
        return .circle(center: center, radius: radius)
    }

    static func sphereCircle(_ value: RawValue) throws(GeometryFault) -> SphereCircle {
        let (center, radius) = try centerAndRadius(value)
        return try SphereCircle(center: center, radius: radius)
    }

    private static func centerAndRadius(_ value: RawValue) throws(GeometryFault) -> (GeoPosition, Double) {
        guard let array = value.array, array.elementCount == 2 else {
            throw .malformed("a circle needs a center and a radius")
        }
        var elements = array.makeIterator()
        guard let first = elements.next(), let radius = elements.next()?.value.coordinate, radius >= 0 else {
            throw .malformed("radius must be a non-negative number")
        }
        return (try position(first.value), radius)
    }

    private static func positions(_ value: RawValue, countMax: Int) throws(GeometryFault) -> [GeoPosition] {
        guard let container = value.array else { throw .malformed("a shape needs an array of points") }
        var positions: [GeoPosition] = []
        for element in container where positions.count < countMax { positions.append(try position(element.value)) }
        return positions
    }

    private static func position(_ value: RawValue) throws(GeometryFault) -> GeoPosition {
        guard let position = GeoPosition(exactly: value) else { throw .malformed("Point must be a pair of numbers") }
        guard position.isFinite else { throw .malformed("Point coordinates must be finite numbers") }
        return position
    }
}
