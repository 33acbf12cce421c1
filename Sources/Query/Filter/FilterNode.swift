internal import BSON

/// A test of a whole document; the root of a compiled filter.
enum DocumentTest {
    case constant(Bool)
    case all(ArenaList<DocumentTest>)
    case any(ArenaList<DocumentTest>)
    case none(ArenaList<DocumentTest>)
    /// A conjunction of tests of fields, settled in one walk over the document.
    case fields(ArenaList<FieldGroup>)
    /// `$expr`: never in what is put to elements of an array.
    case expression(Expression)
    /// One JSON Schema.
    case schema(ArenaList<SchemaNode>)
    case near(Unmanaged<NearCondition>)
    case text(Unmanaged<TextCondition>)
    /// `$sampleRate`: holds for this part of all documents, drawn anew for each.
    case sample(Double)
}

/// All tests of one conjunction whose paths begin with the same field name.
struct FieldGroup {
    let key: RawKey
    let tests: ArenaList<PathTest>
}

/// A test of the values at a path. Through arrays a path may lead to many values: the test holds when one of them
/// passes; the negated test holds when none does.
struct PathTest {
    /// The steps after the name in ``FieldGroup/key``.
    let steps: ArenaList<PathStep>
    let isNegated: Bool
    let test: ValueTest
}

/// One component of a dotted path, with the array index it spells or -1.
struct PathStep {
    let key: RawKey
    let index: Int
}

/// A test of one value, or of the absence of one.
enum ValueTest {
    case equal(RawValue)
    case compare(Comparison, RawValue)
    case oneOf(ValueSet)
    case exists
    case type(TypeMask)
    case size(Int)
    case elementMatches(ArenaList<DocumentTest>)
    case elementPasses(ArenaList<ValueTest>)
    case modulo(divisor: Int64, remainder: Int64)
    case regex(Unmanaged<CompiledRegex>)
    case bits(BitTest)
    case geometry(Unmanaged<GeoPredicate>)
    case all(ArenaList<ValueTest>)
    case not(ArenaList<ValueTest>)
    /// One comparison by a collator: beside the others and behind a pointer, so that those are as fast as without.
    case collated(ArenaList<CollatedTest>)

    /// The order in which tests of one field run: MongoDB's order of operators, which decides which match in an array
    /// is the last and so what the positional `$` stands for.
    var rank: Int {
        switch self {
        case .elementMatches: 0
        case .elementPasses: 1
        case .size: 2
        case .equal: 3
        case .compare(.lessOrEqual, _): 4
        case .compare(.less, _): 5
        case .compare(.greater, _): 6
        case .compare(.greaterOrEqual, _): 7
        case .collated(let tests): tests[0].plain.rank
        default: 8
        }
    }

    /// Whether the test is also put to each element of an array that stands at the end of the path.
    @inline(__always)
    var looksIntoArrays: Bool {
        switch self {
        case .size, .elementMatches, .elementPasses: false
        default: true
        }
    }
}

/// A comparison with an operand that holds text.
struct CollatedTest {
    enum Condition {
        case equal(RawValue)
        case compare(Comparison, RawValue)
        case oneOf(ValueSet)
    }

    let collator: Unmanaged<Collator>
    let condition: Condition

    /// The same comparison of bytes.
    var plain: ValueTest {
        switch condition {
        case .equal(let operand): .equal(operand)
        case .compare(let comparison, let operand): .compare(comparison, operand)
        case .oneOf(let set): .oneOf(set)
        }
    }
}

extension ValueTest {
    /// What a value is to be equal to, however text compares.
    var equalityOperand: RawValue? {
        switch self {
        case .equal(let operand): operand
        case .collated(let tests): tests[0].plain.equalityOperand
        default: nil
        }
    }

    var comparisonOperand: (Comparison, RawValue)? {
        switch self {
        case .compare(let comparison, let operand): (comparison, operand)
        case .collated(let tests): tests[0].plain.comparisonOperand
        default: nil
        }
    }
}

enum Comparison {
    case less, lessOrEqual, greater, greaterOrEqual

    @inline(__always)
    func accepts(_ order: Int) -> Bool {
        switch self {
        case .less: order < 0
        case .lessOrEqual: order <= 0
        case .greater: order > 0
        case .greaterOrEqual: order >= 0
        }
    }

    @inline(__always)
    var includesEqual: Bool { self == .lessOrEqual || self == .greaterOrEqual }
}

/// The operand of `$in`: constants in ascending order for binary search, and regular expressions.
struct ValueSet {
    let values: ArenaList<RawValue>
    let regexes: ArenaList<Unmanaged<CompiledRegex>>
    let hasNull: Bool
}

/// A set of BSON types.
struct TypeMask {
    private(set) var bits: UInt32 = 0

    mutating func insert(_ type: BSONType) { bits |= Self.bit(type) }

    @inline(__always)
    func contains(_ type: BSONType) -> Bool { bits & Self.bit(type) != 0 }

    @inline(__always)
    private static func bit(_ type: BSONType) -> UInt32 {
        switch type {
        case .minKey: 1 << 30
        case .maxKey: 1 << 31
        default: 1 << UInt32(type.rawValue)
        }
    }
}
