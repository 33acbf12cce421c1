internal import BSON
internal import CommandModel

// Wildcard indexes: see ``WildcardPath`` for their keys.
extension IndexKeyMaker {
    mutating func makeWildcardKeys(
        of document: RawDocument, _ field: Int, _ scope: WildcardScope
    ) throws(CommandError) {
        for other in 0..<fieldCount where other != field {
            follow(0, other)
            guard slots[other].state != .following else { throw arrayBesideWildcard(other) }
        }
        var walk = Walk(field: field, scope: scope)
        try visit(document, scope.sight, &walk, 0)
        guard !walk.hasKeys, fieldCount > 1 else { return }
        try addKey(.missing, nil, field) { $0.append(contentsOf: WildcardPath.none) }
    }

    private func arrayBesideWildcard(_ field: Int) -> CommandError {
        CommandError(
            ErrorCode(7_246_301),
            "Compound wildcard indexes do not support arrays in their other fields: '\(definition.fields[field].path)'")
    }

    private struct Walk {
        let field: Int
        let scope: WildcardScope
        var path = WildcardPath()
        var hasKeys = false
    }

    /// The recursion is as deep as documents nest.
    private mutating func visit(
        _ document: RawDocument, _ sight: WildcardScope.Sight, _ walk: inout Walk, _ depth: Int
    ) throws(CommandError) {
        guard depth < RawDocument.depthMax else { return }
        for element in document {
            let sight = walk.scope.sight(of: element.key, in: sight)
            if case .nothing = sight { continue }
            let mark = walk.path.append(element.key.bytes)
            if let array = element.value.array {
                try visitElements(array, sight, &walk, depth + 1)
            } else {
                try visit(element.value, sight, &walk, depth + 1)
            }
            walk.path.remove(to: mark)
        }
    }

    private mutating func visitElements(
        _ array: RawDocument, _ sight: WildcardScope.Sight, _ walk: inout Walk, _ depth: Int
    ) throws(CommandError) {
        facts.multikeyFields |= 1 << UInt32(walk.field)
        if array.isEmpty { return try take(.nothing(.undefined), sight, &walk) }
        for element in array { try visit(element.value, sight, &walk, depth) }
    }

    /// A value at a path, or an element of an array there.
    private mutating func visit(
        _ value: RawValue, _ sight: WildcardScope.Sight, _ walk: inout Walk, _ depth: Int
    ) throws(CommandError) {
        if let document = value.document, !document.isEmpty {
            try visit(document, sight, &walk, depth)
        } else {
            try take(value, sight, &walk)
        }
    }

    private mutating func take(
        _ value: RawValue, _ sight: WildcardScope.Sight, _ walk: inout Walk
    ) throws(CommandError) {
        if case .within = sight { return }
        walk.hasKeys = true
        let path = walk.path
        try addKey(.settled, value, walk.field) { path.write(to: &$0) }
    }

    private mutating func addKey(
        _ state: Slot.State, _ value: RawValue?, _ field: Int, _ writePath: (inout [UInt8]) -> Void
    ) throws(CommandError) {
        let start = encoder.bytes.count
        writePath(&encoder.bytes)
        let valueStart = encoder.bytes.count
        encoder.append(value, kind: .wildcard, collator: definition.collator)
        work += encoder.bytes.count - start
        try checkWork()
        IndexKey.limit.apply(to: &encoder.bytes, from: valueStart)
        slots[field] = Slot(value: value, depth: 0, state: state, start: start, end: encoder.bytes.count)
        try finishKey(0)
        encoder.bytes.removeLast(encoder.bytes.count - start)
    }
}
