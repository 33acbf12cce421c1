package import BSON
package import CommandModel

extension NearCondition {
    /// For the stage `$geoNear`.
    ///
    /// - Parameters:
    ///   - point: a GeoJSON `Point`: on the sphere, in metres. A pair of numbers: on the plane, or with `isSpherical`
    ///     in radians.
    ///   - least, most: as the client gives them.
    package convenience init(
        from point: RawValue, path: RawKey, isSpherical: Bool, least: Double?, most: Double?
    ) throws(CommandError) {
        let range = (least: least ?? 0, most: most ?? .infinity)
        do throws(GeometryFault) {
            if let document = point.document {
                let fields = GeoJSONFields(document)
                if fields.type != nil || fields.coordinates != nil {
                    try self.init(
                        path: path, center: GeoJSONReader.point(fields), metric: .sphere, range: range, isGeoJSON: true)
                    return
                }
            }
            guard let center = GeoPosition(point) else { throw .malformed("Point must be a pair of numbers") }
            try self.init(
                path: path, center: center, metric: isSpherical ? .sphere : .plane, range: range, isGeoJSON: false)
        } catch { throw error.commandError }
    }
}
