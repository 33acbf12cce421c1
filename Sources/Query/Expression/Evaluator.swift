internal import BSON
internal import CommandModel

/// What the evaluators of a program need to know of it, and of the command it belongs to.
struct EvaluatorSettings: Sendable {
    /// How many variables there are, the document included.
    var slotCount = 1
    /// How values compare.
    var order = ValueOrder(nil)
    var patience: Patience?
    /// After how many turns of loops over one document to give up; nil for never.
    var turnsMax: UInt?
}

/// The state of evaluating the expressions of one program, document by document: variables and memory.
///
/// One thread at a time; see ``EvaluatorPool``.
final class Evaluator {
    /// The variable that holds the document itself.
    static let rootSlot = 0

    let scratch: Scratch
    @exclusivity(unchecked) var stack = ValueStack()
    /// Whether the expressions are those of `$group`, where MongoDB reports some errors by other codes.
    var isGrouping = false
    @exclusivity(unchecked) var timeZones = TimeZoneCache()
    @exclusivity(unchecked) var regexes = RegexCache()
    let order: ValueOrder
    /// That of ``order``, which keeps it: so that comparing touches no reference count.
    private let collator: Unmanaged<Collator>?
    private let patience: Patience?
    private var turns: UInt = 0
    private let turnsMax: UInt
    private let variables: UnsafeMutableBufferPointer<RawValue?>

    init(_ settings: EvaluatorSettings) {
        order = settings.order
        collator = order.collator.map(Unmanaged.passUnretained)
        patience = settings.patience
        turnsMax = settings.turnsMax ?? .max
        scratch = Scratch(patience: patience)
        variables = .allocate(capacity: max(settings.slotCount, 1))
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
        turns = 0
        variables[Self.rootSlot] = RawValue(type: .document, bytes: document.bytes)
    }

    @inline(__always)
    subscript(variable slot: Int) -> RawValue? {
        get { variables[slot] }
        set { variables[slot] = newValue }
    }
}

// Comparing, and giving up.
extension Evaluator {
    /// Negative, zero or positive, as `left` comes before, with or after `right`. What is not there comes before
    /// everything but `minKey`, as undefined does.
    @inline(__always)
    func compare(_ left: RawValue?, _ right: RawValue?) -> Int {
        switch (left, right) {
        case (let left?, let right?): compare(left, right)
        case (nil, nil): 0
        case (nil, let right?): right.type == .minKey ? 1 : -1
        case (let left?, nil): left.type == .minKey ? -1 : 1
        }
    }

    @inline(__always)
    func compare(_ left: RawValue, _ right: RawValue) -> Int {
        guard let collator else { return left.compare(to: right) }
        return collator._withUnsafeGuaranteedRef { left.compare(to: right, by: $0) }
    }

    private static let turnsBetweenChecks: UInt = 16

    /// To be called at each turn of a loop whose body may take any time.
    ///
    /// - Throws: why the command must end, once it must.
    @inline(__always)
    func countTurn() throws(CommandError) {
        turns &+= 1
        guard turns <= turnsMax else {
            throw CommandError(
                .exceededMemoryLimit, "an expression loops more than \(turnsMax) times")
        }
        if turns % Self.turnsBetweenChecks == 0, let patience { try patience.check() }
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
