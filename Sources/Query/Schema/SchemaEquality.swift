internal import BSON

/// When two values are one for `enum` and `uniqueItems`: numbers by what they stand for, and objects whatever the order
/// of their fields. No collation has a say.
enum SchemaEquality {
    private static let comparedMax = 16
    /// Deeper than any document a client can send.
    private static let depthMax = 250

    /// The first item of an array that equals an earlier one.
    static func duplicate(in array: RawDocument, _ context: MatchContext = .none) -> RawValue? {
        if isShortAndFlat(array) { return duplicateByComparing(array) }
        var keys: Set<[UInt8]> = []
        return array.first { !context.mayGoOn(32) || !keys.insert(key(of: $0.value)).inserted }?.value
    }

    private static func isShortAndFlat(_ array: RawDocument) -> Bool {
        var count = 0
        for element in array {
            guard count < comparedMax, element.value.container == nil else { return false }
            count += 1
        }
        return true
    }

    /// Each with each, without allocating.
    private static func duplicateByComparing(_ array: RawDocument) -> RawValue? {
        var index = 0
        for element in array {
            if array.prefix(index).contains(where: { $0.value.equals(element.value) }) { return element.value }
            index += 1
        }
        return nil
    }

    /// The bytes that equal values share, and no others.
    static func key(of value: RawValue) -> [UInt8] {
        guard value.container != nil else { return KeyEncoder.encode(value) }
        return canonical(value).withRaw { KeyEncoder.encode($0) }
    }

    /// The value with the fields of all its objects in the order of their names.
    private static func canonical(_ value: RawValue) -> Value {
        let wrapped = Document { append(RawElement(key: RawKey("v"), value: value), to: &$0, depth: 0) }
        return wrapped.withRaw { $0["v"].map(Value.init(copying:)) ?? .null }
    }

    private static func append(_ element: RawElement, to builder: inout DocumentBuilder, depth: Int) {
        guard let container = element.value.container, depth < depthMax else { return builder.append(element) }
        if element.value.type == .array {
            builder.beginArray(element.key)
            for item in container { append(item, to: &builder, depth: depth + 1) }
        } else {
            builder.beginDocument(element.key)
            for field in container.sorted(by: { RawKey.schemaOrder($0.key, $1.key) < 0 }) {
                append(field, to: &builder, depth: depth + 1)
            }
        }
        builder.end()
    }
}

extension SchemaValueSet {
    func contains(_ value: RawValue) -> Bool {
        guard value.container == nil else { return containsContainer(value) }
        var low = 0
        var high = scalars.count
        while low < high {
            let middle = (low + high) / 2
            let order = scalars[middle].compare(to: value)
            if order == 0 { return scalars[middle].type.canonicalTypeRank == value.type.canonicalTypeRank }
            if order < 0 { low = middle + 1 } else { high = middle }
        }
        return false
    }

    private func containsContainer(_ value: RawValue) -> Bool {
        guard !containers.isEmpty else { return false }
        let key = SchemaEquality.key(of: value)
        var low = 0
        var high = containers.count
        while low < high {
            let middle = (low + high) / 2
            let candidate = containers[middle].nodes
            if candidate.elementsEqual(key) { return true }
            if candidate.lexicographicallyPrecedes(key) { low = middle + 1 } else { high = middle }
        }
        return false
    }
}
