internal import BSON
internal import CommandModel

/// The state of evaluating the expressions of one program, document by document: variables and memory.
///
/// One thread at a time; see ``EvaluatorPool``.
final class Evaluator {
    /// The variable that holds the document itself.
    static let rootSlot = 0

    let scratch = Scratch()
    @exclusivity(unchecked) var stack = ValueStack()
    /// Whether the expressions are those of `$group`, where MongoDB reports some errors by other codes.
    var isGrouping = false
    @exclusivity(unchecked) var timeZones = TimeZoneCache()
    @exclusivity(unchecked) var regexes = RegexCache()
    private let variables: UnsafeMutableBufferPointer<RawValue?>

    init(slotCount: Int) {
        variables = .allocate(capacity: max(slotCount, 1))
        variables.initialize(repeating: nil)
    }

    deinit {
        variables.deallocate()
        stack.deallocate()
    }

    /// Turns to a document. Values of the one before are gone.
    @inline(__always)
    func begin(_ document: RawDocument) {
        scratch.reset()
        stack.reset()
        variables[Self.rootSlot] = RawValue(type: .document, bytes: document.bytes)
    }

    @inline(__always)
    subscript(variable slot: Int) -> RawValue? {
        get { variables[slot] }
        set { variables[slot] = newValue }
    }
}

extension Evaluator {
    /// Pushes an element of an array.
    @inline(__always)
    func push(_ value: RawValue) throws(CommandError) {
        try stack.push(RawElement(key: RawKey(""), value: value))
    }

    func popDocument(from base: Int) throws(CommandError) -> RawValue {
        let document = try scratch.document(stack.elements(from: base))
        stack.removeAll(from: base)
        return document
    }

    func popArray(from base: Int) throws(CommandError) -> RawValue {
        let array = try scratch.array(stack.elements(from: base))
        stack.removeAll(from: base)
        return array
    }

    func bool(_ value: Bool) throws(CommandError) -> RawValue { try scratch.bool(value) }
}

extension RawValue? {
    /// Null, undefined or not there.
    @inline(__always)
    var isNullish: Bool {
        switch self?.type {
        case nil, .null?, .undefined?: true
        default: false
        }
    }

    /// What counts as true: not there is false.
    @inline(__always)
    var isTruthy: Bool { self?.isTruthy ?? false }

    /// The type's name in an error message.
    var typeName: String { self.map { "\($0.type.alias)" } ?? "missing" }
}
