internal import BSON
internal import CommandModel

// $near, $nearSphere: in the form of GeoJSON `{$near: {$geometry: …, $maxDistance: metres}}`, or in the form of old
// `{$near: [x, y], $maxDistance: …}`, in units of the plane or, for `$nearSphere`, in radians.
extension FilterCompiler {
    var nearIsMisplaced: CommandError {
        features.contains(.near)
            ? CommandError(.badValue, "geo $near must be top-level expr")
            : CommandError(ErrorCode(5_626_500), "$geoNear, $near, and $nearSphere are not allowed in this context")
    }

    mutating func nearCondition(
        _ path: FieldPath, _ operators: RawDocument
    ) throws(CommandError) -> Unmanaged<NearCondition> {
        guard features.contains(.near), isTopConjunction else { throw nearIsMisplaced }
        let arguments = try NearArguments(operators)
        guard near == nil else { throw CommandError(.badValue, "Too many geoNear expressions") }
        guard text == nil else { throw CommandError(.badValue, "text and geoNear not allowed in same query") }
        do throws(GeometryFault) {
            let condition = try arguments.condition(path.whole)
            near = condition
            return arena.keep(condition)
        } catch { throw error.commandError }
    }
}

/// The arguments of one near operator, and its siblings in the form of old.
private struct NearArguments {
    private var center: GeoPosition?
    private var metric = NearCondition.Metric.plane
    private var isGeoJSON = false
    private var least = 0.0
    private var most = Double.infinity

    init(_ operators: RawDocument) throws(CommandError) {
        for element in operators { try takeLegacy(element) }
        guard center == nil else { return }
        guard operators.elementCount == 1, let element = operators.firstElement else {
            throw CommandError(
                .badValue, "geo near accepts just one argument when querying for a GeoJSON point")
        }
        guard let document = element.value.document else {
            throw CommandError(.badValue, "geo near needs a point: \(element.value.errorText)")
        }
        (isGeoJSON, metric) = (true, .sphere)
        for element in document { try takeGeoJSON(element) }
    }

    func condition(_ path: RawKey) throws(GeometryFault) -> NearCondition {
        guard let center else { throw .malformed("geo near needs a $geometry") }
        return try NearCondition(
            path: path, center: center, metric: metric, range: (least, most), isGeoJSON: isGeoJSON)
    }
}

// The form of old.
extension NearArguments {
    private mutating func takeLegacy(_ element: RawElement) throws(CommandError) {
        let value = element.value
        switch element.key {
        case "$near", "$nearSphere", "$geoNear": try takePoint(value, isSphere: element.key == "$nearSphere")
        case "$minDistance":
            least = try Self.distance(value, ErrorCode(16893), ErrorCode(16894), "$minDistance")
        case "$maxDistance":
            most = try Self.distance(value, ErrorCode(16895), ErrorCode(16896), "$maxDistance")
        case "$uniqueDocs": return
        default:
            throw CommandError(ErrorCode(34413), "invalid argument in geo near query: \(element.key.string)")
        }
    }

    /// A third number is the greatest distance.
    private mutating func takePoint(_ value: RawValue, isSphere: Bool) throws(CommandError) {
        guard let container = value.container, let position = GeoPosition(value),
            !(container.firstKey?.startsWithDollar ?? false)
        else { return }
        guard position.isFinite else { throw GeometryFault.offSphere(position).commandError }
        center = position
        metric = isSphere ? .sphere : .plane
        var elements = container.dropFirst(2).makeIterator()
        guard let third = elements.next() else { return }
        most = try Self.distance(third.value, .badValue, .badValue, "the greatest distance")
    }

    private static func distance(
        _ value: RawValue, _ notNumber: ErrorCode, _ negative: ErrorCode, _ name: StaticString
    ) throws(CommandError) -> Double {
        guard let distance = value.coordinate else { throw CommandError(notNumber, "\(name) must be a number") }
        guard distance >= 0 else { throw CommandError(negative, "\(name) must be non-negative") }
        return distance
    }
}

// The form of GeoJSON.
extension NearArguments {
    private mutating func takeGeoJSON(_ element: RawElement) throws(CommandError) {
        switch element.key {
        case "$geometry": center = try Self.point(element.value)
        case "$minDistance": least = try Self.metres(element)
        case "$maxDistance": most = try Self.metres(element)
        default: throw CommandError(.badValue, "invalid argument in geo near query: \(element.key.string)")
        }
    }

    private static func metres(_ element: RawElement) throws(CommandError) -> Double {
        let distance = try distance(element.value, .badValue, .badValue, "a distance")
        guard distance.isFinite else {
            throw CommandError(.badValue, "\(element.key.string) must be finite")
        }
        return distance
    }

    private static func point(_ value: RawValue) throws(CommandError) -> GeoPosition {
        do throws(GeometryFault) {
            guard let document = value.document else { throw .malformed("$geometry must be an object") }
            return try GeoJSONReader.point(GeoJSONFields(document))
        } catch { throw error.commandError }
    }
}
