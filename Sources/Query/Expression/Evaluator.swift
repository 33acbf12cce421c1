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
    @exclusivity(unchecked) private var meter: WorkMeter
    private var turns: UInt = 0
    private let turnsMax: UInt
    private let variables: UnsafeMutableBufferPointer<RawValue?>

    init(_ settings: EvaluatorSettings) {
        order = settings.order
        collator = order.collator.map(Unmanaged.passUnretained)
        meter = WorkMeter(settings.patience)
        turnsMax = settings.turnsMax ?? .max
        scratch = Scratch(patience: settings.patience)
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

    /// To be called with what is done that grows with values, or with the number of documents. See ``WorkMeter``.
    ///
    /// - Throws: why the command must end, once it must.
    @inline(__always)
    func spend(_ units: Int = 1) throws(CommandError) { try meter.spend(units) }

    /// As ``spend(_:)``, for as many bytes.
    @inline(__always)
    func spend(bytes count: Int) throws(CommandError) { try meter.spend(WorkMeter.units(forBytes: count)) }

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
        try spend(4)
    }
}

extension Evaluator {
    /// Pushes an element of an array.
    @inline(__always)
    func push(_ value: RawValue) throws(CommandError) {
        try spend()
        try stack.push(RawElement(key: RawKey(""), value: value))
    }

    /// Sorts elements that lie on the stack, from `base` to its end or to `end`.
    func sortElements(
        from base: Int, to end: Int? = nil, by order: (RawElement, RawElement) -> Int
    ) throws(CommandError) {
        let all = stack.elements(from: base)
        var elements = UnsafeMutableBufferPointer(rebasing: all[..<min((end ?? stack.count) - base, all.count)])
        try elements.sortThrowing { left, right throws(CommandError) in
            try spend(bytes: min(left.value.count, right.value.count))
            return order(left, right) < 0
        }
    }

    func popDocument(from base: Int) throws(CommandError) -> RawValue {
        let elements = stack.elements(from: base)
        try spend(elements.count)
        let document = try scratch.document(elements)
        try spend(bytes: document.count)
        stack.removeAll(from: base)
        return document
    }

    func popArray(from base: Int) throws(CommandError) -> RawValue {
        let elements = stack.elements(from: base)
        try spend(elements.count)
        let array = try scratch.array(elements)
        try spend(bytes: array.count)
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
