internal import BSON
internal import CommandModel

// # A `$group` behind an `$unwind`
//
// `$unwind` writes a document for each element of an array, of which `$group` reads a field or two: the element, most
// of all. Together they take the element where it lies. The expressions of the group then have it in a variable: what
// was a path through the array's field is a path from there.
extension Group {
    /// The array whose elements the group takes one by one, and where expressions find them.
    struct Elements {
        let unwind: Unwind
        /// Of the variable.
        let slot: Int
        /// The group as it stands behind the `$unwind`.
        let behind: Group
    }

    /// The same as `$unwind` and `group` one after the other; nil where expressions read more of a document than fields
    /// beside the array and the element itself.
    convenience init?(_ group: Group, behind unwind: Unwind) {
        guard group.elements == nil, unwind.path.count == 1, unwind.indexPath.isEmpty else { return nil }
        let arena = ProgramArena()
        let slot = max(group.settings.slotCount, 1)
        let substitution = ElementSubstitution(field: unwind.path[0], slot: slot, arena: arena)
        guard let id = substitution.apply(to: group.id) else { return nil }
        var fields: [Field] = []
        for field in group.fields.nodes {
            guard let accumulator = substitution.apply(to: field.accumulator) else { return nil }
            fields.append(Field(key: field.key, accumulator: accumulator))
        }
        var settings = group.settings
        settings.slotCount = slot + 1
        self.init(
            arena: arena, id: id, fields: arena.list(fields), settings: settings,
            elements: Elements(unwind: unwind, slot: slot, behind: group))
    }
}

/// Puts a variable in the place of a field of the document.
private struct ElementSubstitution {
    let field: RawKey
    let slot: Int
    let arena: ProgramArena

    /// The recursion is as deep as the expression, which the compiler has bounded.
    ///
    /// - Returns: nil for an expression that reads the document as a whole.
    func apply(to expression: Expression) -> Expression? {
        switch expression {
        case .constant, .missing, .notGiven: return expression
        case .path(let path):
            guard path.slot == Evaluator.rootSlot else { return expression }
            guard let first = path.steps.nodes.first else { return nil }
            guard first == field else { return expression }
            return .path(ValuePath(slot: slot, steps: arena.list(Array(path.steps.nodes.dropFirst()))))
        case .object(let fields):
            var substituted: [ObjectField] = []
            for field in fields.nodes {
                guard let value = apply(to: field.value) else { return nil }
                substituted.append(ObjectField(key: field.key, value: value))
            }
            return .object(arena.list(substituted))
        case .array(let elements): return apply(to: elements).map { .array($0) }
        case .call(let operation, let operands): return apply(to: operands).map { .call(operation, $0) }
        }
    }

    private func apply(to list: ArenaList<Expression>) -> ArenaList<Expression>? {
        var substituted: [Expression] = []
        for expression in list.nodes {
            guard let expression = apply(to: expression) else { return nil }
            substituted.append(expression)
        }
        return arena.list(substituted)
    }

    /// What has an order of its own reads the document by that, too.
    func apply(to accumulator: Accumulator) -> Accumulator? {
        guard accumulator.settings == nil, accumulator.count.isConstant, let input = apply(to: accumulator.input)
        else { return nil }
        return Accumulator(
            operation: accumulator.operation, input: input, count: accumulator.count, settings: nil)
    }
}

extension Unwind {
    /// Calls `body` with what stands at the path, of one step, in each document that this one becomes.
    @inline(__always)
    func forEachElement(
        of document: RawDocument, _ body: (RawValue?) throws(CommandError) -> Void
    ) throws(CommandError) {
        let value = document[path[0]]
        guard let array = value?.array else {
            if !value.isNullish || preservesEmpty { try body(value) }
            return
        }
        if array.isEmpty, preservesEmpty { return try body(document.value(behindFirst: path[0])) }
        for element in array { try body(element.value) }
    }

    /// The document that an element becomes, or one like it, as ``forEachElement(of:_:)`` gives it.
    func document(_ document: RawDocument, with element: RawValue?) -> Document {
        Document { $0.append(document, setting: path, to: .some(element)) }
    }
}

extension RawDocument {
    /// What is found by a name when the first field of that name is taken out.
    fileprivate func value(behindFirst name: RawKey) -> RawValue? {
        lazy.filter { $0.key == name }.dropFirst().first?.value
    }
}
