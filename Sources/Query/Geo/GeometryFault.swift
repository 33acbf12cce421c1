internal import CommandModel

/// Why a value is no geometry. Making one is cheap: stored values that are no geometry are no exception.
enum GeometryFault: Error {
    case malformed(StaticString)
    case offSphere(GeoPosition)
    /// What the geometry library says.
    case invalid(String)

    var commandError: CommandError {
        switch self {
        case .malformed(let message): CommandError(.badValue, "\(message)")
        case .offSphere(let position):
            CommandError(
                .badValue, "Longitude/latitude is out of bounds, lng: \(position.x) lat: \(position.y)")
        case .invalid(let reason): CommandError(.badValue, "Geometry is not valid: \(reason)")
        }
    }
}
