internal import BSON
internal import CommandModel

/// When a fail point acts: a state machine over the events that it could act on. Pure: chance comes from outside.
///
/// Source: specifications/source/transactions/tests/legacy-test-format.md
struct FailPointMode: Equatable, Sendable {
    enum State: Equatable, Sendable {
        case off
        case alwaysOn
        /// Acts this often, then turns off.
        case times(Int64)
        /// Lets this many pass, then stays on.
        case skip(Int64)
        case probability(Double)
    }

    private(set) var state = State.off
    /// How often it has acted: an answer of `configureFailPoint`.
    private(set) var timesEntered: Int64 = 0

    var isOff: Bool { state == .off }

    mutating func set(_ state: State) {
        self.state =
            switch state {
            case .times(let count) where count <= 0: .off
            case .skip(let count) where count <= 0: .alwaysOn
            default: state
            }
    }

    /// Something happened that the fail point is about.
    ///
    /// - Parameter chance: a random number in 0..<1.
    /// - Returns: whether it acts.
    mutating func enter(chance: Double) -> Bool {
        let acts = step(chance)
        if acts { timesEntered += 1 }
        return acts
    }

    private mutating func step(_ chance: Double) -> Bool {
        switch state {
        case .off: return false
        case .alwaysOn: return true
        case .times(let left):
            set(.times(left - 1))
            return true
        case .skip(let left):
            set(.skip(left - 1))
            return false
        case .probability(let probability): return chance < probability
        }
    }
}

extension FailPointMode.State {
    init(_ argument: Argument) throws(CommandError) {
        if let word = argument.value.string {
            switch word {
            case "off": self = .off
            case "alwaysOn": self = .alwaysOn
            default: throw CommandError(.badValue, "unknown mode of a fail point: '\(word)'")
            }
            return
        }
        guard let document = argument.value.document else { throw argument.wrongType(expected: "string, object") }
        self = try Self.parse(document)
    }

    private static func parse(_ document: RawDocument) throws(CommandError) -> Self {
        var fields = document.makeIterator()
        guard let field = fields.next(), fields.next() == nil else {
            throw CommandError(.badValue, "the mode of a fail point has one field")
        }
        let argument = Argument(command: "configureFailPoint.mode", key: field.key, value: field.value)
        switch field.key {
        case "times": return .times(try argument.nonNegativeInteger())
        case "skip": return .skip(try argument.nonNegativeInteger())
        case "activationProbability":
            guard let probability = field.value.number?.asDouble else { throw argument.wrongType(expected: "double") }
            guard (0...1).contains(probability) else {
                throw CommandError(.badValue, "activationProbability must be between 0 and 1")
            }
            return .probability(probability)
        default: throw argument.unknownField()
        }
    }
}
