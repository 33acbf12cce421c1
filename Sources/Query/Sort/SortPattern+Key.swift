package import BSON
package import CommandModel

extension SortPattern {
    /// The document's place in the order, as bytes that compare like it. Equal keys are equal documents as far as the
    /// pattern sees them.
    ///
    /// A path into an array has many values: the least counts in ascending, the greatest in descending order. A
    /// missing field sorts as null, an empty array below it.
    ///
    /// - Throws: BadValue, when two of the paths lead into different arrays.
    package func key(of document: RawDocument) throws(CommandError) -> [UInt8] {
        if let near { return near.key(of: document) }
        var encoder = KeyEncoder()
        var arrays = 0
        let order = ValueOrder(collator)
        for field in fields {
            guard field.source == .path else {
                field.appendFact(of: document, to: &encoder)
                continue
            }
            let best = field.best(in: document, order)
            if best.metArray { arrays += 1 }
            encoder.append(best.value ?? .nothing(.null), descending: field.isDescending, collator: collator)
        }
        return arrays < 2 ? encoder.bytes : try ParallelKeys(self, of: document).leastKey()
    }

    /// The values that stand for the document in the order, as `$meta: "sortKey"` shows them.
    package func values(of document: RawDocument) -> [Value] {
        fields.map { field in
            if field.source == .textScore { return document[TextScore.field].map(Value.init(copying:)) ?? .null }
            guard field.source == .path else { return .null }
            return Value(copying: field.best(in: document, ValueOrder(collator)).value ?? .nothing(.null))
        }
    }
}

extension SortPattern.Field {
    fileprivate func best(in document: RawDocument, _ order: ValueOrder) -> Extreme {
        var best = Extreme(isGreatest: isDescending, order: order)
        steps.withUnsafeBufferPointer { steps in best.visit(document[steps[0]], steps, 1) }
        return best
    }

    func appendFact(of document: RawDocument, to encoder: inout KeyEncoder) {
        switch source {
        case .random: Value.int64(.random(in: .min ... .max)).withRaw { encoder.append($0) }
        case .textScore: encoder.append(document[TextScore.field] ?? .nothing(.null), descending: true)
        case .path, .nothing: encoder.append(.nothing(.null))
        }
    }
}

/// The least or the greatest of the values at a path.
private struct Extreme {
    let isGreatest: Bool
    /// Whether the path led into an array.
    private(set) var metArray = false
    let order: ValueOrder
    private(set) var value: RawValue?

    init(isGreatest: Bool, order: ValueOrder) {
        self.isGreatest = isGreatest
        self.order = order
    }

    /// - Parameter value: what stands at `steps[..<depth]`. The recursion is as deep as the path is long.
    mutating func visit(_ value: RawValue?, _ steps: UnsafeBufferPointer<SortStep>, _ depth: Int) {
        guard depth < steps.count else { return visitEnd(value) }
        if let document = value?.document {
            visit(document[steps[depth]], steps, depth + 1)
        } else if let array = value?.array {
            metArray = true
            visitElements(array, steps, depth)
        } else {
            take(.nothing(.null))
        }
    }

    private mutating func visitElements(
        _ array: RawDocument, _ steps: UnsafeBufferPointer<SortStep>, _ depth: Int
    ) {
        if steps[depth].index >= 0, let element = array[steps[depth]] { return visit(element, steps, depth + 1) }
        if array.isEmpty { return take(.nothing(.null)) }
        for element in array {
            if let document = element.value.document {
                visit(document[steps[depth]], steps, depth + 1)
            } else {
                take(.nothing(.null))
            }
        }
    }

    private mutating func visitEnd(_ value: RawValue?) {
        guard let value else { return take(.nothing(.null)) }
        guard let array = value.array else { return take(value) }
        metArray = true
        if array.isEmpty { return take(.nothing(.undefined)) }
        for element in array { take(element.value) }
    }

    private mutating func take(_ candidate: RawValue) {
        guard let value else {
            self.value = candidate
            return
        }
        let order = order.compare(candidate, value)
        if isGreatest ? order > 0 : order < 0 { self.value = candidate }
    }
}

extension RawValue {
    /// A value of a type that has no payload.
    static func nothing(_ type: BSONType) -> RawValue {
        RawValue(type: type, bytes: UnsafeRawBufferPointer(start: nil, count: 0))
    }
}

extension RawDocument {
    subscript(step: SortStep) -> RawValue? {
        step.name.withUnsafeBytes { bytes in
            // An empty name has no address; paths with one are refused before.
            guard let start = bytes.baseAddress else { return nil }
            return self[RawKey(start: start, count: bytes.count)]
        }
    }
}
