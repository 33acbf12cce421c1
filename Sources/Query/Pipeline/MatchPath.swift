internal import BSON

/// A path through documents and arrays, as a condition of equality walks it.
struct MatchPath {
    struct Step {
        let key: RawKey
        /// Where it leads in an array; -1 for nowhere.
        let index: Int
    }

    private let steps: ArenaList<Step>

    var components: [RawKey] { steps.nodes.map(\.key) }

    init(_ path: RawKey, in arena: ProgramArena) {
        steps = arena.list(path.components.map { Step(key: $0, index: $0.arrayIndex ?? -1) })
    }

    /// Calls `visit` with the values at the path: of an array its elements, and the array itself if it is wanted.
    func forEachValue(of document: RawDocument, withArrays: Bool, _ visit: (RawValue) -> Void) {
        step(into: document[steps[0].key], 1, withArrays, visit)
    }

    private func step(into value: RawValue?, _ depth: Int, _ withArrays: Bool, _ visit: (RawValue) -> Void) {
        guard let value else { return }
        guard depth < steps.count else { return end(value, withArrays, visit) }
        let next = steps[depth]
        if let document = value.document {
            step(into: document[next.key], depth + 1, withArrays, visit)
        } else if let array = value.array {
            if next.index >= 0 { step(into: array[next.key], depth + 1, withArrays, visit) }
            for element in array {
                guard let document = element.value.document else { continue }
                step(into: document[next.key], depth + 1, withArrays, visit)
            }
        }
    }

    private func end(_ value: RawValue, _ withArrays: Bool, _ visit: (RawValue) -> Void) {
        guard let array = value.array else { return visit(value) }
        if withArrays { visit(value) }
        for element in array { visit(element.value) }
    }
}

/// The keys of a few values, one after the other.
struct KeyList {
    private var encoder = KeyEncoder()
    private var ends: [Int] = []
    private let collator: Collator?

    init(_ collator: Collator?) {
        self.collator = collator
    }

    var isEmpty: Bool { ends.isEmpty }

    mutating func append(_ value: RawValue) {
        encoder.append(value, collator: collator)
        ends.append(encoder.bytes.count)
    }

    /// Nothing has the empty key, which no value has.
    mutating func append(orNothing value: RawValue?) {
        guard let value else { return ends.append(encoder.bytes.count) }
        append(value)
    }

    mutating func appendNull() { append(.nothing(.null)) }

    mutating func append(contentsOf others: KeyList) {
        let start = encoder.bytes.count
        encoder.bytes.append(contentsOf: others.encoder.bytes)
        ends.append(contentsOf: others.ends.map { $0 + start })
    }

    mutating func removeAll() {
        encoder.bytes.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
    }

    func forEach(_ body: (UnsafeRawBufferPointer) -> Void) {
        encoder.bytes.withUnsafeBytes { bytes in
            var start = 0
            for end in ends {
                body(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
                start = end
            }
        }
    }
}
