internal import BSON

// What the optimizer makes of a filter.
extension Filter {
    /// The same condition where fields have other names; nil where there is none such.
    ///
    /// - Parameter name: what a field at the top is called there; nil when it is not there as it is here.
    func renamed(_ name: (RawKey) -> RawKey?) -> Filter? {
        var needs = FieldNeeds.shape
        needs.read(self)
        guard needs.names({ name($0) != nil }) else { return nil }
        guard !needs.names({ name($0) == $0 }) else { return self }
        return moved { path in
            guard let first = path.first, let new = name(first) else { return nil }
            return [new] + path.dropFirst()
        }
    }

    /// The same condition for the document that stands in a field; nil where it asks for anything else.
    func within(_ field: RawKey) -> Filter? {
        moved { path in path.count > 1 && path[0] == field ? Array(path.dropFirst()) : nil }
    }

    private func moved(_ path: ([RawKey]) -> [RawKey]?) -> Filter? {
        let moved = withExtendedLifetime(program) {
            var builder = DocumentBuilder()
            return Self.move(program.source, path, into: &builder) ? builder.finish() : nil
        }
        return moved.flatMap(compiled)
    }

    /// The compiler has bounded how deep it nests.
    ///
    /// - Returns: whether it could be done.
    private static func move(
        _ filter: RawDocument, _ path: ([RawKey]) -> [RawKey]?, into builder: inout DocumentBuilder
    ) -> Bool {
        for condition in filter {
            switch condition.key {
            case "$and", "$or", "$nor":
                builder.beginArray(condition.key)
                for (index, branch) in (condition.value.array ?? .none).enumerated() {
                    builder.beginDocument(index: index)
                    guard move(branch.value.document ?? .none, path, into: &builder) else { return false }
                    builder.end()
                }
                builder.end()
            case "$comment": continue
            case _ where condition.key.startsWithDollar: return false
            default:
                guard let new = path(condition.key.components) else { return false }
                Value.string(new.text).withRaw { value in
                    value.withKey { builder.append($0, condition.value) }
                }
            }
        }
        return true
    }

    /// The conditions that fulfil `predicate`, each for itself, and the others; nil unless there are both.
    func split(where predicate: (Filter) -> Bool) -> (moving: Filter, rest: Filter)? {
        var (moving, rest): ([Document], [Document]) = ([], [])
        let conditions = withExtendedLifetime(program) { Self.conditions(of: program.source) }
        guard conditions.count > 1 else { return nil }
        for condition in conditions {
            if let filter = compiled(condition), predicate(filter) {
                moving.append(condition)
            } else {
                rest.append(condition)
            }
        }
        guard !moving.isEmpty, !rest.isEmpty, let first = conjunction(moving), let second = conjunction(rest) else {
            return nil
        }
        return (first, second)
    }

    /// What must hold, each in a document of its own.
    private static func conditions(of filter: RawDocument) -> [Document] {
        var result: [Document] = []
        for condition in filter {
            switch condition.key {
            case "$and":
                for branch in condition.value.array ?? .none {
                    result += conditions(of: branch.value.document ?? .none)
                }
            case "$comment": continue
            default: result.append(Document { $0.append(condition) })
            }
        }
        return result
    }

    private func conjunction(_ conditions: [Document]) -> Filter? {
        guard conditions.count > 1 else { return conditions.first.flatMap(compiled) }
        return compiled(
            Document { builder in
                builder.beginArray("$and")
                for (index, condition) in conditions.enumerated() {
                    builder.append(index: index, .document(condition))
                }
                builder.end()
            })
    }

    private func compiled(_ source: Document) -> Filter? {
        guard let environment = program.environment else {
            return try? Filter(compiling: source, collator: program.collator, allowing: program.features)
        }
        return try? Filter(compiling: source, environment: environment, allowing: program.features)
    }
}

extension RawValue {
    /// A string as a field's name.
    fileprivate func withKey(_ body: (RawKey) -> Void) {
        guard let bytes = stringBytes else { return }
        body(RawKey(start: start + 4, count: bytes.count))
    }
}

extension Filter {
    /// Whether it must be asked where it stands, for those documents that come there: it may fail, or draws lots.
    var mustStay: Bool { withExtendedLifetime(program) { Self.mustStay(program.root) } }

    private static func mustStay(_ test: DocumentTest) -> Bool {
        switch test {
        case .constant, .fields, .schema: false
        case .all(let tests), .any(let tests), .none(let tests): tests.nodes.contains(where: mustStay)
        case .expression(let expression): !expression.isHarmless
        case .near, .text, .sample: true
        }
    }

    /// Whether it tells no two values apart that are equal, nor nothing from null.
    var decidesByOrder: Bool { withExtendedLifetime(program) { Self.decidesByOrder(program.root) } }

    private static func decidesByOrder(_ test: DocumentTest) -> Bool {
        switch test {
        case .constant: true
        case .all(let tests), .any(let tests), .none(let tests): tests.nodes.allSatisfy(decidesByOrder)
        case .fields(let groups):
            groups.nodes.allSatisfy { group in
                group.tests.nodes.allSatisfy { $0.steps.isEmpty && $0.test.decidesByOrder }
            }
        case .expression, .schema, .near, .text, .sample: false
        }
    }
}

extension ValueTest {
    fileprivate var decidesByOrder: Bool {
        switch self {
        case .equal(let operand), .compare(_, let operand): operand.isPlain
        case .oneOf(let set): set.regexes.isEmpty && set.values.nodes.allSatisfy(\.isPlain)
        case .collated(let tests): tests[0].plain.decidesByOrder
        case .all(let tests), .not(let tests): tests.nodes.allSatisfy(\.decidesByOrder)
        default: false
        }
    }
}

extension RawValue {
    /// Whether it is none of the values that compare with nothing in ways of their own.
    fileprivate var isPlain: Bool {
        switch type {
        case .minKey, .maxKey, .undefined: false
        default: true
        }
    }
}

extension Expression {
    /// Whether it always has a value, and the same one for the same document.
    fileprivate var isHarmless: Bool {
        switch self {
        case .constant, .missing, .notGiven, .path: true
        case .object(let fields): fields.nodes.allSatisfy(\.value.isHarmless)
        case .array(let elements): elements.nodes.allSatisfy(\.isHarmless)
        case .call(.comparison, let operands), .call(.boolean, let operands),
            .call(.conditional(.condition), let operands), .call(.conditional(.ifNull), let operands):
            operands.nodes.allSatisfy(\.isHarmless)
        case .call: false
        }
    }
}
