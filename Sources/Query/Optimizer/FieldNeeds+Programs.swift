internal import BSON

// What compiled programs read of a document.
extension FieldNeeds {
    /// The compiler has bounded how deep it nests.
    mutating func read(_ expression: Expression) {
        switch expression {
        case .constant, .missing, .notGiven: return
        // What other variables hold was read where they are bound.
        case .path(let path): if path.slot == Evaluator.rootSlot { insert(path.steps.nodes) }
        case .object(let fields): for field in fields.nodes { read(field.value) }
        case .array(let elements): for element in elements.nodes { read(element) }
        case .call(let operation, let operands):
            if let name = Self.fieldRead(operation, operands) { return insert([name]) }
            for operand in operands.nodes { read(operand) }
        }
    }

    /// The name in `$getField` of the document.
    private static func fieldRead(_ operation: Operation, _ operands: ArenaList<Expression>) -> RawKey? {
        guard case .object(.getField) = operation, operands.count == 2, case .constant(let name) = operands[0],
            case .path(let path) = operands[1], path.slot == Evaluator.rootSlot, path.steps.isEmpty,
            name.type == .string, let bytes = name.stringBytes, let start = bytes.baseAddress
        else { return nil }
        return RawKey(start: start, count: bytes.count)
    }

    mutating func read(_ accumulator: Accumulator) {
        read(accumulator.input)
        read(accumulator.count)
        if let settings = accumulator.settings { read(settings.takeUnretainedValue().sortBy) }
    }

    mutating func read(_ pattern: SortPattern) {
        guard pattern.near == nil else {
            self = .whole
            return
        }
        if pattern.usesTextScore { insert(TextScore.fieldName) }
        for field in pattern.fields where field.source == .path {
            var path = field.path
            path.withUTF8 { bytes in
                guard let start = bytes.baseAddress else { return }
                insert(RawKey(start: start, count: bytes.count).components)
            }
        }
    }

    mutating func read(_ filter: Filter) {
        withExtendedLifetime(filter.program) { read(filter.program.root) }
    }

    private mutating func read(_ test: DocumentTest) {
        switch test {
        case .constant, .sample: return
        case .all(let tests), .any(let tests), .none(let tests): for test in tests.nodes { read(test) }
        case .fields(let groups):
            for group in groups.nodes {
                for test in group.tests.nodes { insert([group.key] + test.steps.nodes.map(\.key)) }
            }
        case .expression(let expression): read(expression)
        case .schema, .near, .text: self = .whole
        }
    }

    mutating func read(_ function: WindowFunction) {
        switch function {
        case .accumulator(let accumulator): read(accumulator)
        case .covariance(let input, _), .derivative(let input, _), .integral(let input, _), .shift(let input, _, _),
            .movingAverage(let input, _), .linearFill(let input), .carry(let input):
            read(input)
        case .rank, .denseRank, .documentNumber: return
        }
    }
}
