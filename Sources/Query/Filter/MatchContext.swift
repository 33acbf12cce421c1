internal import BSON
internal import CommandModel

/// What a match has with it: where it is to be noted, and how long it may take.
///
/// Tests do not throw, for that costs each of them. Once there is no more time, those that loop give whatever answer
/// comes first, and who put the filter to a document asks whether that was so.
struct MatchContext {
    /// Gets the index in the outermost array where a match was found: what the positional `$` refers to.
    private let position: UnsafeMutablePointer<Int>?
    private let meter: UnsafeMutablePointer<MatchMeter>?

    /// Nobody wants to know where, and nobody waits.
    static var none: MatchContext { MatchContext(position: nil, meter: nil) }

    init(position: UnsafeMutablePointer<Int>?, meter: UnsafeMutablePointer<MatchMeter>?) {
        (self.position, self.meter) = (position, meter)
    }

    /// The same for tests that say nothing of a place.
    @inline(__always)
    var silent: MatchContext { MatchContext(position: nil, meter: meter) }

    @inline(__always)
    var wantsPosition: Bool { position != nil }

    /// The last one counts.
    @inline(__always)
    func note(_ index: Int) { position?.pointee = index }

    @inline(__always)
    func forget() { position?.pointee = -1 }

    /// To be asked at each turn of a loop that may be long. See ``WorkMeter``.
    @inline(__always)
    func mayGoOn(_ units: Int = 1) -> Bool {
        guard let meter else { return true }
        return meter.pointee.spend(units)
    }

    /// To be asked before each search by a regular expression: few of them take any time.
    @inline(__always)
    func maySearch(_ value: RawValue) -> Bool { mayGoOn(1024 + value.count / 16) }
}

/// As ``WorkMeter``, for what cannot throw.
struct MatchMeter {
    private var meter: WorkMeter
    private(set) var failure: CommandError?

    /// - Parameter left: what the meter for the document before had left.
    init(_ patience: Patience, left: Int) {
        meter = WorkMeter(patience, left: left)
    }

    var left: Int { meter.left }

    mutating func spend(_ units: Int) -> Bool {
        guard failure == nil else { return false }
        do throws(CommandError) { try meter.spend(units) } catch { failure = error }
        return failure == nil
    }
}

// Which filters may take long over one document.
extension DocumentTest {
    /// So many tests are over soon, even with a large array; each of them costs less than to count them.
    private static let shortMax = 8

    var mayTakeLong: Bool { weight > Self.shortMax }

    /// How many tests there are, about. The recursion is as deep as the filter, which the compiler has bounded.
    private var weight: Int {
        switch self {
        case .constant, .sample, .expression: 0
        case .fields(let groups): groups.nodes.reduce(0) { $0 + $1.tests.nodes.reduce(0) { $0 + $1.test.weight } }
        case .all(let children), .any(let children), .none(let children):
            children.nodes.reduce(0) { $0 + $1.weight }
        case .schema, .near, .text: Self.shortMax + 1
        }
    }
}

extension ValueTest {
    fileprivate var weight: Int {
        switch self {
        case .all(let tests), .not(let tests): tests.nodes.reduce(0) { $0 + $1.weight }
        case .oneOf(let set) where set.regexes.isEmpty: 1
        case .oneOf, .regex, .elementMatches, .elementPasses, .geometry: 16
        default: 1
        }
    }
}
