internal import BSON
internal import CommandModel
internal import NIOCore

/// Makes the keys of documents in `2dsphere` and `2d` indexes.
///
/// # Keys
///
/// In the place of a geometry a key has 01 and eight bytes: the number of a cell (``SphereCell``, ``PlaneGrid``), or 00
/// alone where the document has no geometry there. The other fields of a compound index have their values as ever. A
/// document has a key for each combination of a cell and a value of each other field, and none at all without a
/// geometry in one of its geometry fields, whatever else it has: such indexes are sparse.
struct GeoKeyMaker {
    static let missing: [UInt8] = [0]
    private static let placed: UInt8 = 1

    private let definition: IndexDefinition
    private var facts = IndexFacts()

    init(_ definition: IndexDefinition) {
        self.definition = definition
    }

    mutating func keys(of document: RawDocument) throws(CommandError) -> IndexKeys {
        var columns: [[[UInt8]]] = []
        var isPlaced = false
        for (position, field) in definition.fields.enumerated() {
            let parts: [[UInt8]]
            switch field.kind {
            case .sphere, .plane:
                let cells = try self.cells(document, field, position)
                isPlaced = isPlaced || !cells.isEmpty
                parts = cells.isEmpty ? [Self.missing] : cells.map(Self.part)
            default: parts = try values(document, position)
            }
            if parts.count > 1 { facts.multikeyFields |= 1 << UInt32(position) }
            columns.append(parts)
        }
        return isPlaced ? try product(columns) : IndexKeys()
    }

    static func part(_ number: UInt64) -> [UInt8] {
        var encoder = KeyEncoder(reserving: 9)
        encoder.bytes.append(placed)
        withUnsafeBytes(of: number.bigEndian) { encoder.bytes.append(contentsOf: $0) }
        return encoder.bytes
    }

    /// The encoded values of a field that is no geometry.
    private mutating func values(_ document: RawDocument, _ position: Int) throws(CommandError) -> [[UInt8]] {
        let made = try IndexDefinition(definition, only: position).keys(of: document)
        if made.facts.isMultikey { facts.multikeyFields |= 1 << UInt32(position) }
        return made.keys.map { Array($0.readableBytesView) }
    }

    private mutating func product(_ columns: [[[UInt8]]]) throws(CommandError) -> IndexKeys {
        var count = 1
        for column in columns {
            let (product, isOver) = count.multipliedReportingOverflow(by: column.count)
            guard !isOver, product <= IndexKeyMaker.keysMax else { throw IndexKeyMaker.tooManyKeys(definition) }
            count = product
        }
        var keys: [[UInt8]] = [[]]
        for column in columns { keys = keys.flatMap { key in column.map { key + $0 } } }
        for index in keys.indices where IndexKey.limit.apply(to: &keys[index]) { facts.hasCutKeys = true }
        keys.sort { $0.lexicographicallyPrecedes($1) }
        return IndexKeys(keys.map { ByteBuffer(bytes: $0) }, facts: facts)
    }
}

// MARK: Geometries

extension GeoKeyMaker {
    /// The cells of all geometries at the path, each once.
    private mutating func cells(
        _ document: RawDocument, _ field: IndexDefinition.Field, _ position: Int
    ) throws(CommandError) -> [UInt64] {
        var values = PathValues()
        field.steps.withUnsafeBufferPointer { steps in
            values.visit(RawValue(type: .document, bytes: document.bytes), steps, 0)
        }
        if values.metArray { facts.multikeyFields |= 1 << UInt32(position) }
        var cells: Set<UInt64> = []
        for value in values.found where !value.isNoPlace {
            let more = try field.kind == .sphere ? sphereCells(value, document) : planeCells(value)
            cells.formUnion(more)
            guard cells.count <= IndexKeyMaker.keysMax else { throw IndexKeyMaker.tooManyKeys(definition) }
        }
        return cells.sorted()
    }

    private func sphereCells(_ value: RawValue, _ document: RawDocument) throws(CommandError) -> [UInt64] {
        do throws(GeometryFault) {
            return try StoredGeometry(readingOnSphere: value).cells
        } catch {
            throw CommandError(
                ErrorCode(16755), "Can't extract geo keys: \(ShellText.of(document))  \(error.commandError.message)")
        }
    }

    private func planeCells(_ value: RawValue) throws(CommandError) -> [UInt64] {
        guard let grid = definition.planeGrid else { return [] }
        // An array of pairs is several places.
        if let array = value.array, let first = array.firstElement?.value, first.container != nil {
            var cells: [UInt64] = []
            for element in array { cells.append(try planeCell(element.value, grid)) }
            return cells
        }
        return [try planeCell(value, grid)]
    }

    private func planeCell(_ value: RawValue, _ grid: PlaneGrid) throws(CommandError) -> UInt64 {
        guard let container = value.container else {
            throw CommandError(ErrorCode(13654), "location object expected, location array not in correct format")
        }
        guard container.elementCount > 1 else {
            throw CommandError(ErrorCode(13068), "geo field only has 1 element")
        }
        guard let position = GeoPosition(value), position.isFinite else {
            throw CommandError(ErrorCode(13026), "geo values must be 'legacy coordinate pairs' for 2d indexes")
        }
        guard grid.contains(position) else {
            throw CommandError(
                ErrorCode(13027),
                "point not in interval of [ \(grid.min), \(grid.max) ] :: caused by :: \(ShellText.of(value))")
        }
        return grid.number(of: position)
    }
}

extension StoredGeometry {
    fileprivate var cells: [UInt64] {
        get throws(GeometryFault) {
            switch self {
            case .position(let position): return [SphereCell.around(position).number]
            case .shape(let shape):
                try shape.buildOrExplain(partsMax: .max)
                return shape.covering.map(\.number)
            }
        }
    }
}

extension RawValue {
    /// Stands for the absence of a geometry.
    fileprivate var isNoPlace: Bool {
        switch type {
        case .null, .undefined: true
        case .array: array?.isEmpty ?? true
        default: false
        }
    }
}

/// All values at a path; an array at its end is one of them.
private struct PathValues {
    private(set) var found: [RawValue] = []
    private(set) var metArray = false

    /// The recursion is as deep as the path is long.
    mutating func visit(_ value: RawValue?, _ steps: UnsafeBufferPointer<SortStep>, _ depth: Int) {
        guard let value else { return }
        guard depth < steps.count else { return found.append(value) }
        if let document = value.document { return visit(document[steps[depth]], steps, depth + 1) }
        guard let array = value.array else { return }
        metArray = true
        if steps[depth].index >= 0 { visit(array[steps[depth]], steps, depth + 1) }
        for element in array {
            if let document = element.value.document { visit(document[steps[depth]], steps, depth + 1) }
        }
    }
}
