internal import BSON
package import CommandModel

/// A compiled `$geoNear`: the documents near a point, the nearest first, with their distances.
///
// Safety: immutable after init; the pointers in it point into the arena it owns.
package final class GeoNear: @unchecked Sendable {
    private let arena: ProgramArena
    /// Nil without a `key`: the geographic index then says where the geometry stands.
    let near: NearCondition?
    let query: Filter
    let multiplier: Double
    /// Where the distance goes; empty when it is not wanted.
    let distancePath: ArenaList<RawKey>
    /// Where the geometry that is so far away goes; empty when it is not wanted.
    let locationPath: ArenaList<RawKey>

    private let source: Document
    private let environment: ExpressionEnvironment

    /// Whether the stage says where the geometry stands.
    package var namesField: Bool { near != nil }

    /// As if the stage were a condition of a query.
    package var condition: NearCondition? { near }

    /// The same stage, told where the geometry stands.
    package func located(at path: String) throws(CommandError) -> GeoNear {
        let keyed = Document { builder in
            source.withRaw { raw in
                for option in raw where !(option.key == "key") { builder.append(option) }
            }
            builder.append("key", string: path)
        }
        return try keyed.withRaw { raw throws(CommandError) in
            try GeoNear(compiling: RawValue(type: .document, bytes: raw.bytes), in: environment, environment.collator)
        }
    }

    init(
        compiling value: RawValue, in environment: ExpressionEnvironment, _ collator: Collator?
    ) throws(CommandError) {
        let arena = ProgramArena()
        self.environment = environment
        source = value.container.map(Document.init(copying:)) ?? .empty
        let options = try GeoNearOptions(arena.copy(value), environment)
        near = try options.condition(in: environment)
        query = try Filter(compiling: options.query ?? .none, environment: environment, allowing: .text)
        guard !query.searchesText else {
            throw CommandError(.badValue, "$geoNear, $near, and $text cannot be used together: $text in its 'query'")
        }
        multiplier = options.multiplier
        distancePath = arena.list(options.distanceField?.components ?? [])
        locationPath = arena.list(options.includeLocs?.components ?? [])
        self.arena = arena
    }
}

/// The options of the stage, checked.
private struct GeoNearOptions {
    private let near: RawValue
    private(set) var distanceField: RawKey?
    private(set) var includeLocs: RawKey?
    private(set) var query: RawDocument?
    private(set) var multiplier = 1.0
    private var key: RawKey?
    private var isSpherical = false
    private var least: Double?
    private var most: Double?

    init(_ value: RawValue, _ environment: ExpressionEnvironment) throws(CommandError) {
        guard let document = value.container else {
            throw CommandError(ErrorCode(10065), "$geoNear must be an object, but is \(value.type.alias)")
        }
        guard let near = document["near"] else {
            throw CommandError(ErrorCode(5_860_400), "$geoNear requires a 'near' option")
        }
        self.near = near
        for field in document { try take(field, environment) }
    }

    private mutating func take(
        _ field: RawElement, _ environment: ExpressionEnvironment
    ) throws(CommandError) {
        let value = field.value
        switch field.key {
        // Each document comes once, whatever this asked for.
        case "near", "uniqueDocs": return
        case "distanceField": distanceField = try Self.path(field, ErrorCode(16606))
        case "includeLocs": includeLocs = try Self.path(field, ErrorCode(16607))
        case "key": key = try Self.key(field)
        case "spherical": isSpherical = value.isTruthy
        case "minDistance": least = try Self.distance(field, ErrorCode(7_555_701), environment)
        case "maxDistance": most = try Self.distance(field, ErrorCode(7_555_702), environment)
        case "distanceMultiplier": multiplier = try Self.nonNegative(field.key, value)
        case "query":
            guard let document = value.document else {
                throw CommandError(.typeMismatch, "'query' of $geoNear must be an object, but is \(value.type.alias)")
            }
            query = document
        default: throw CommandError(.badValue, "unrecognized option to $geoNear: \(field.key.string)")
        }
    }

    /// Checks the point in any case, even where the field is not known.
    func condition(in environment: ExpressionEnvironment) throws(CommandError) -> NearCondition? {
        let expression = try CompiledExpression(compiling: near, in: environment)
        guard expression.isConstant else {
            throw CommandError(ErrorCode(5_860_402), "'near' of $geoNear must be constant")
        }
        return try expression.withValue(of: .none) { point throws(CommandError) in
            guard let point, let container = point.container else {
                throw CommandError(ErrorCode(5_860_401), "'near' of $geoNear must be an object or an array")
            }
            guard point.type != .array || (2...3).contains(container.elementCount) else {
                throw CommandError(.badValue, "'near' of $geoNear must be a pair of numbers or a GeoJSON point")
            }
            let condition = try NearCondition(
                from: point, path: key ?? RawKey("_id"), isSpherical: isSpherical, least: least, most: most)
            return key == nil ? nil : condition
        }
    }

    private static func path(_ field: RawElement, _ wrongType: ErrorCode) throws(CommandError) -> RawKey {
        guard let path = text(field.value) else {
            throw CommandError(
                wrongType, "'\(field.key.string)' of $geoNear must be a string, but is \(field.value.type.alias)")
        }
        try checkFieldPath(path)
        try checkNoNull(path)
        guard path.components.count < FilterCompiler.pathComponentsMax else {
            throw CommandError(ErrorCode(5_984_700), "'\(field.key.string)' of $geoNear is too long a path")
        }
        return path
    }

    /// As many steps as `key` may have.
    private static let keyComponentsMax = 180

    private static func key(_ field: RawElement) throws(CommandError) -> RawKey {
        guard let path = text(field.value) else {
            throw CommandError(.typeMismatch, "'key' of $geoNear must be a string, but is \(field.value.type.alias)")
        }
        guard path.count > 0 else { throw CommandError(.badValue, "'key' of $geoNear must not be empty") }
        try checkFieldPath(path)
        try checkNoNull(path)
        guard path.components.count <= keyComponentsMax else {
            throw CommandError(ErrorCode(5_729_100), "'key' of $geoNear is too long a path")
        }
        return path
    }

    private static func checkNoNull(_ path: RawKey) throws(CommandError) {
        guard !path.bytes.contains(0) else {
            throw CommandError(ErrorCode(16411), "FieldPath field names may not contain '\\0'")
        }
    }

    private static func text(_ value: RawValue) -> RawKey? {
        guard value.type == .string, let bytes = value.stringBytes,
            let start = bytes.baseAddress ?? value.bytes.baseAddress
        else { return nil }
        return RawKey(start: start, count: bytes.count)
    }

    private static func distance(
        _ field: RawElement, _ notConstant: ErrorCode, _ environment: ExpressionEnvironment
    ) throws(CommandError) -> Double {
        let expression = try CompiledExpression(compiling: field.value, in: environment)
        guard expression.isConstant else {
            throw CommandError(notConstant, "'\(field.key.string)' of $geoNear must be constant")
        }
        return try expression.withValue(of: .none) { value throws(CommandError) in
            try nonNegative(field.key, value)
        }
    }

    private static func nonNegative(_ key: RawKey, _ value: RawValue?) throws(CommandError) -> Double {
        guard let number = value?.number else {
            throw CommandError(.typeMismatch, "'\(key.string)' of $geoNear must be a number")
        }
        guard number.asDouble >= 0 else {
            throw CommandError(.badValue, "'\(key.string)' of $geoNear must not be negative")
        }
        return number.asDouble
    }
}

final class GeoNearRun: StageRun {
    private let stage: GeoNear
    private var arrivals: SortedArrivals

    init(_ stage: GeoNear, _ limits: StageLimits) {
        self.stage = stage
        arrivals = SortedArrivals(limits)
    }

    var isBlocking: Bool { true }

    func process(_ input: Batch, from position: inout Int, into output: inout Batch) throws(CommandError) {
        guard let near = stage.near else { return }
        try input.forEach(from: &position) { document throws(CommandError) in
            guard let nearest = near.nearestInRange(in: document), try stage.query.matches(document) else {
                return true
            }
            let row = written(document, near.reported(nearest.distance), nearest.location)
            try row.withRaw { raw throws(CommandError) in
                try arrivals.insert(raw, key: NearCondition.key(nearest.distance))
            }
            return true
        }
    }

    /// The document with what the stage tells of it. The location is set after the distance, in whose place it may
    /// stand.
    private func written(_ document: RawDocument, _ distance: Double, _ location: RawValue) -> Document {
        let told = Value.double(distance * stage.multiplier)
        let measured = Document { builder in
            told.withRaw { value in
                builder.append(document, setting: stage.distancePath, to: stage.distancePath.isEmpty ? nil : value)
            }
        }
        guard !stage.locationPath.isEmpty else { return measured }
        return Document { builder in
            measured.withRaw { raw in builder.append(raw, setting: stage.locationPath, to: location) }
        }
    }

    func finish(into output: inout Batch) throws(CommandError) {
        while !output.isFull, let next = try arrivals.next() {
            next.row.withRaw { output.append($0) }
        }
    }
}

extension CompiledExpression {
    fileprivate var isConstant: Bool { program.root.isConstant }
}
