package import BSON
package import CommandModel
package import NIOCore

/// Makes the keys of documents in one index. Its memory is used again for the next document.
///
/// # Paths
///
/// A key has a value for each field of the index. Each path is followed through embedded documents until it ends, at a
/// value or at nothing, or until it meets an array. An array is opened: the document then has a key for each element,
/// in which the field's value is the element itself, where the path ends at the array, or else what the rest of the
/// path leads to in the element. Elements that are arrays are not opened when the path ends there, and have no fields;
/// a rest that begins with a number goes to the element it counts, the same one for all keys.
///
///     {a: [1, [2], {b: 3}]}     a: 1, [2], {b: 3}      a.b: null, null, 3      a.1: 2
///     {a: []}                   a: undefined           a.b: null
///     {}                        a: null                a.b: null
///
/// Paths of several fields may lead into the same array, and then take their values from the same element. Two arrays
/// side by side would make as many keys as the product of their lengths: refused.
///
/// # Cost
///
/// A document without arrays takes one walk per field and one buffer for its key. With arrays the keys are made from
/// the outside in: what the fields have in common is followed, encoded and cut once, in front of the elements, so that
/// the work is bounded by the size of the document, and the number of keys by that of its values; only paths with
/// numbers in them can make more of it, and meet ``workMax``.
package struct IndexKeyMaker {
    /// Of one document: as MongoDB has it by default (`indexMaxNumGeneratedKeysPerDocument`).
    static let keysMax = 100_000
    /// Bytes walked over and encoded.
    static let workMax = 1 << 30

    let definition: IndexDefinition
    let fieldCount: Int
    private let isHashed: Bool
    private let isGeo: Bool
    private let wildcardField: Int?

    /// Encoded values: those of the outermost frame, then of the frames inside it.
    var encoder = KeyEncoder()
    /// Frames of one slot for each field.
    var slots: [Slot] = []
    /// The key being put together.
    private var key: [UInt8] = []
    private var keys: [ByteBuffer] = []
    var facts = IndexFacts()
    var work = 0
    /// The key whose values are looked for.
    private var sought: ByteBuffer?
    private var found: [Value]?

    package init(_ definition: IndexDefinition) {
        self.definition = definition
        fieldCount = definition.fields.count
        isHashed = definition.fields.contains { $0.kind == .hashed }
        isGeo = definition.fields.contains { $0.kind == .sphere || $0.kind == .plane }
        wildcardField = definition.fields.firstIndex { $0.kind == .wildcard }
    }

    package mutating func keys(of document: RawDocument) throws(CommandError) -> IndexKeys {
        guard try definition.partialFilter?.matches(document) ?? true else { return IndexKeys() }
        if let maker = TextKeyMaker(definition) { return try maker.keys(of: document) }
        if isGeo {
            var maker = GeoKeyMaker(definition)
            return try maker.keys(of: document)
        }
        try makeKeys(of: document)
        if keys.count > 1 {
            sortKeys()
            try checkCount()
        }
        defer { keys.removeAll() }
        return IndexKeys(keys, facts: facts)
    }

    mutating func values(of document: RawDocument, for key: ByteBuffer) throws(CommandError) -> [Value]? {
        // What stands in a key of these is no field's value.
        guard definition.text == nil else { return nil }
        sought = key
        try makeKeys(of: document)
        return found
    }

    private mutating func makeKeys(of document: RawDocument) throws(CommandError) {
        facts = IndexFacts()
        work = 0
        encoder.bytes.removeAll(keepingCapacity: true)
        slots.removeAll(keepingCapacity: true)
        let start = RawValue(type: .document, bytes: document.bytes)
        for _ in 0..<fieldCount { slots.append(Slot(value: start)) }
        if let field = wildcardField, let scope = definition.wildcardScope {
            try makeWildcardKeys(of: document, field, scope)
        } else {
            try expand(0)
        }
    }

    /// Of equal keys one stays.
    private mutating func sortKeys() {
        keys.sort { $0.precedes($1) }
        var kept = 1
        for index in 1..<keys.count where keys[index] != keys[kept - 1] {
            keys[kept] = keys[index]
            kept += 1
        }
        keys.removeLast(keys.count - kept)
    }
}

// MARK: Following paths

extension IndexKeyMaker {
    /// How far the path of one field was followed.
    struct Slot {
        enum State {
            case following
            /// The value is in the key.
            case settled
            /// The path leads nowhere.
            case missing
        }

        var value: RawValue?
        /// Steps taken.
        var depth = 0
        var state = State.following
        /// Where the encoded value lies.
        var start = 0
        var end = 0
    }

    /// Makes the keys of the frame that begins at `frame`. The recursion is as deep as the longest path.
    private mutating func expand(_ frame: Int) throws(CommandError) {
        var first: Int?
        for field in 0..<fieldCount {
            follow(frame, field)
            guard slots[frame + field].state == .following else { continue }
            try meetArray(frame, field, first)
            first = first ?? field
        }
        guard let first, let array = slots[frame + first].value?.array else { return try finishKey(frame) }
        try expand(frame, array)
    }

    /// Follows the path of a field until it ends or stands before an array.
    mutating func follow(_ frame: Int, _ field: Int) {
        var slot = slots[frame + field]
        guard slot.state == .following else { return }
        definition.fields[field].steps.withUnsafeBufferPointer { steps in
            while let value = slot.value, value.type != .array {
                if slot.depth == steps.count { break }
                slot.value = value.document?[steps[slot.depth]]
                slot.depth += 1
            }
        }
        if slot.value?.type != .array { settle(&slot, field) }
        slots[frame + field] = slot
    }

    private mutating func settle(_ slot: inout Slot, _ field: Int) {
        slot.state = slot.value == nil ? .missing : .settled
        slot.start = encoder.bytes.count
        encoder.append(slot.value, kind: definition.fields[field].kind, collator: definition.collator)
        work += encoder.bytes.count - slot.start
        IndexKey.limit.apply(to: &encoder.bytes, from: slot.start)
        slot.end = encoder.bytes.count
    }

    /// - Parameter first: the field whose path met an array before.
    private mutating func meetArray(_ frame: Int, _ field: Int, _ first: Int?) throws(CommandError) {
        facts.multikeyFields |= 1 << UInt32(field)
        guard !isHashed else {
            throw CommandError(
                ErrorCode(16766),
                "hashed indexes do not currently support array values. Found array at path: "
                    + definition.fields[field].path(upTo: slots[frame + field].depth))
        }
        guard let first, slots[frame + first].value?.start != slots[frame + field].value?.start else { return }
        let names = [field, first].map { "[\(definition.fields[$0].name(at: slots[frame + $0].depth))]" }
        throw CommandError(.cannotIndexParallelArrays, "cannot index parallel arrays \(names.joined(separator: " "))")
    }
}

// MARK: Opening arrays

extension IndexKeyMaker {
    private mutating func expand(_ frame: Int, _ array: RawDocument) throws(CommandError) {
        work += array.bytes.count
        try checkWork()
        var entering: UInt32 = 0
        for field in 0..<fieldCount where slots[frame + field].state == .following {
            if try !enterByIndex(frame, field, array) { entering |= 1 << UInt32(field) }
        }
        // No field differs from element to element.
        guard entering != 0 else { return try expand(frame) }
        if array.isEmpty {
            try expand(frame, entering, nil)
        } else {
            for element in array where found == nil { try expand(frame, entering, element.value) }
        }
    }

    /// The keys of one element; nil stands for that of an empty array.
    private mutating func expand(
        _ frame: Int, _ entering: UInt32, _ element: RawValue?
    ) throws(CommandError) {
        let (inner, mark) = (slots.count, encoder.bytes.count)
        for field in 0..<fieldCount {
            var slot = slots[frame + field]
            if entering & (1 << UInt32(field)) != 0 { enter(element, &slot, field) }
            slots.append(slot)
        }
        try expand(inner)
        slots.removeLast(fieldCount)
        encoder.bytes.removeLast(encoder.bytes.count - mark)
    }

    private mutating func enter(_ element: RawValue?, _ slot: inout Slot, _ field: Int) {
        let steps = definition.fields[field].steps
        if slot.depth == steps.count {
            slot.value = element ?? .nothing(.undefined)
            settle(&slot, field)
        } else {
            slot.value = element?.document?[steps[slot.depth]]
            slot.depth += 1
        }
    }

    /// A step that is the index of an element goes there.
    ///
    /// - Returns: false when there is none.
    private mutating func enterByIndex(
        _ frame: Int, _ field: Int, _ array: RawDocument
    ) throws(CommandError) -> Bool {
        let depth = slots[frame + field].depth
        let steps = definition.fields[field].steps
        guard depth < steps.count, steps[depth].index >= 0, let element = array[steps[depth]] else { return false }
        for other in array where other.value.document?[steps[depth]] != nil {
            throw CommandError(
                ErrorCode(16746),
                "Ambiguous field name found in array (do not use numeric field names in embedded elements in an "
                    + "array), field: '\(definition.fields[field].name(at: depth + 1))' for array: "
                    + ShellText.of(RawValue(type: .array, bytes: array.bytes)))
        }
        slots[frame + field].value = element
        slots[frame + field].depth += 1
        follow(frame, field)
        return true
    }
}

// MARK: Putting keys together

extension IndexKeyMaker {
    mutating func finishKey(_ frame: Int) throws(CommandError) {
        key.removeAll(keepingCapacity: true)
        var isMissing = true
        for slot in slots[frame..<frame + fieldCount] {
            if slot.state != .missing { isMissing = false }
            key.append(contentsOf: encoder.bytes[slot.start..<slot.end])
        }
        if isMissing, definition.isSparse { return }
        if IndexKey.limit.apply(to: &key) { facts.hasCutKeys = true }
        if let sought { return find(sought, frame) }
        keys.append(ByteBuffer(bytes: key))
        guard keys.count >= 2 * Self.keysMax else { return }
        sortKeys()
        try checkCount()
    }

    private mutating func find(_ sought: ByteBuffer, _ frame: Int) {
        guard found == nil, sought.readableBytesView.elementsEqual(key) else { return }
        found = slots[frame..<frame + fieldCount].map { $0.value.map(Value.init(copying:)) ?? .null }
    }

    private func checkCount() throws(CommandError) {
        guard keys.count > Self.keysMax else { return }
        throw Self.tooManyKeys(definition)
    }

    static func tooManyKeys(_ definition: IndexDefinition) -> CommandError {
        CommandError(.cannotBuildIndexKeys, "a document has more than \(keysMax) keys in index '\(definition.name)'")
    }

    func checkWork() throws(CommandError) {
        guard work > Self.workMax else { return }
        throw CommandError(
            .cannotBuildIndexKeys, "the keys of a document in index '\(definition.name)' take too much work")
    }
}

extension IndexDefinition.Field {
    /// The name that the path's first `depth` steps end with.
    fileprivate func name(at depth: Int) -> String {
        depth > 0 && depth <= steps.count ? String(decoding: steps[depth - 1].name, as: UTF8.self) : path
    }

    fileprivate func path(upTo depth: Int) -> String {
        steps.prefix(depth).map { String(decoding: $0.name, as: UTF8.self) }.joined(separator: ".")
    }
}

extension ByteBuffer {
    fileprivate func precedes(_ other: ByteBuffer) -> Bool {
        withUnsafeReadableBytes { left in
            other.withUnsafeReadableBytes { right in left.lexicographicallyPrecedes(right) }
        }
    }
}

extension ErrorCode {
    package static let cannotIndexParallelArrays = ErrorCode(171, "CannotIndexParallelArrays")
    package static let cannotBuildIndexKeys = ErrorCode(201, "CannotBuildIndexKeys")
}
