package import BSON
package import CommandModel

/// The difference between two versions of a document, as entries of an oplog tell it (`$v: 2`):
///
/// - `d`: fields that are gone; `u`: fields with new values; `i`: new fields, at the end;
/// - `s` and a field's name: the difference within a document, or within an array: `{a: true, l: length}` with `u` or
///   `s` and a position.
///
/// What a difference does to a document to which it was applied before is the same again; a difference within something
/// that is not there, or of another kind, does nothing.
package struct DocumentDelta: Sendable {
    private let source: Document

    /// - Throws: BadValue (2) for what is no difference.
    package init(_ source: RawDocument) throws(CommandError) {
        self.source = Document(copying: source)
        _ = try FieldChanges(source, depth: 0)
    }

    func apply(to document: RawDocument) throws(CommandError) -> Document {
        try source.withRaw { raw throws(CommandError) in
            let changes = try FieldChanges(raw, depth: 0)
            var builder = DocumentBuilder(reserving: document.bytes.count + raw.bytes.count)
            try changes.write(document, into: &builder)
            return builder.finish()
        }
    }

    static func malformed(_ what: String) -> CommandError {
        CommandError(.badValue, "a difference of documents is malformed: \(what)")
    }
}

/// What happens to one field, or to one element of an array.
private enum Change {
    case remove
    case set(RawValue)
    /// It comes to the end.
    case insert(RawValue)
    case within(FieldChanges)
    case withinArray(ElementChanges)

    /// - Parameter value: of a field that begins with `s`.
    init(within value: RawValue, depth: Int) throws(CommandError) {
        guard let document = value.document else { throw DocumentDelta.malformed("a part is no object") }
        guard depth < RawDocument.storedDepthMax else { throw DocumentDelta.malformed("it nests too deep") }
        if let first = document.firstElement, first.key == "a" {
            self = .withinArray(try ElementChanges(document, depth: depth + 1))
        } else {
            self = .within(try FieldChanges(document, depth: depth + 1))
        }
    }

    /// The value with the change in it, under `key`.
    func write(_ key: RawKey, _ value: RawValue, into builder: inout DocumentBuilder) throws(CommandError) {
        switch self {
        case .remove, .insert: return
        case .set(let new): builder.append(key, new)
        case .within(let changes):
            guard let document = value.document else { return builder.append(key, value) }
            builder.beginDocument(key)
            try changes.write(document, into: &builder)
            builder.end()
        case .withinArray(let changes):
            guard let array = value.array else { return builder.append(key, value) }
            builder.beginArray(key)
            try changes.write(array, into: &builder)
            builder.end()
        }
    }
}

private struct FieldChanges {
    private var changes: [[UInt8]: Change] = [:]
    /// In the order in which they come to the end of the document: those that are new, and those that should have been
    /// there.
    private var additions: [(key: RawKey, value: RawValue)] = []

    init(_ delta: RawDocument, depth: Int) throws(CommandError) {
        for part in delta {
            switch part.key {
            case "d": for field in try Self.fields(of: part) { try add(.remove, field.key) }
            case "u":
                for field in try Self.fields(of: part) {
                    try add(.set(field.value), field.key)
                    additions.append((field.key, field.value))
                }
            case "i":
                for field in try Self.fields(of: part) {
                    try add(.insert(field.value), field.key)
                    additions.append((field.key, field.value))
                }
            default:
                guard let name = part.key.within else {
                    throw DocumentDelta.malformed("'\(part.key.string.prefix(100))' is no part of one")
                }
                try add(Change(within: part.value, depth: depth), name)
            }
        }
    }

    private mutating func add(_ change: Change, _ key: RawKey) throws(CommandError) {
        guard changes.updateValue(change, forKey: Array(key.bytes)) == nil else {
            throw DocumentDelta.malformed("the field '\(key.string.prefix(100))' changes twice")
        }
    }

    private static func fields(of part: RawElement) throws(CommandError) -> RawDocument {
        guard let fields = part.value.document else {
            throw DocumentDelta.malformed("'\(part.key.string)' is no object")
        }
        return fields
    }

    func write(_ document: RawDocument, into builder: inout DocumentBuilder) throws(CommandError) {
        var present: Set<[UInt8]> = []
        for field in document {
            let name = Array(field.key.bytes)
            guard let change = changes[name] else {
                builder.append(field)
                continue
            }
            if case .set = change { present.insert(name) }
            try change.write(field.key, field.value, into: &builder)
        }
        for addition in additions where !present.contains(Array(addition.key.bytes)) {
            builder.append(addition.key, addition.value)
        }
    }
}

private struct ElementChanges {
    private var changes: [Int: Change] = [:]
    /// That the array is to have; nil for what it has, or what the changes make of it.
    private var length: Int?
    /// More elements than that are never filled in.
    static let paddingMax = 1_500_000

    init(_ delta: RawDocument, depth: Int) throws(CommandError) {
        for part in delta {
            switch part.key {
            case "a": continue
            case "l":
                guard let number = part.value.number?.asInt64Exact, let length = Int(exactly: number), length >= 0
                else { throw DocumentDelta.malformed("'l' is no length") }
                self.length = length
            default:
                let bytes = part.key.bytes
                guard let kind = bytes.first, let index = part.key.afterFirst?.arrayIndex else {
                    throw DocumentDelta.malformed("'\(part.key.string.prefix(100))' is no position of an array")
                }
                switch kind {
                case UInt8(ascii: "u"): changes[index] = .set(part.value)
                case UInt8(ascii: "s"): changes[index] = try Change(within: part.value, depth: depth)
                default: throw DocumentDelta.malformed("'\(part.key.string.prefix(100))' is no change of an element")
                }
            }
        }
    }

    func write(_ array: RawDocument, into builder: inout DocumentBuilder) throws(CommandError) {
        let count = array.elementCount
        let wanted = length ?? max(count, changes.reduce(0) { $1.value.isSet ? max($0, $1.key + 1) : $0 })
        guard wanted - count <= Self.paddingMax else { throw DocumentDelta.malformed("the array becomes too long") }
        var position = 0
        for element in array {
            guard position < wanted else { return }
            if let change = changes[position] {
                try change.write(element.key, element.value, into: &builder)
            } else {
                builder.append(element)
            }
            position += 1
        }
        while position < wanted {
            if case .set(let value)? = changes[position] {
                builder.append(index: position, value)
            } else {
                builder.append(index: position, Value.null)
            }
            position += 1
        }
    }
}

extension Change {
    fileprivate var isSet: Bool { if case .set = self { true } else { false } }
}

extension RawKey {
    fileprivate var afterFirst: RawKey? { count > 0 ? RawKey(start: start + 1, count: count - 1) : nil }

    /// The name behind `s`.
    fileprivate var within: RawKey? { bytes.first == UInt8(ascii: "s") ? afterFirst : nil }
}
