internal import BSON

/// A compiled JSON Schema, or a schema within one: what it demands of a value.
///
/// Trivial nodes in a ``ProgramArena``, as those of filters: checking a row neither allocates nor counts references.
/// The exceptions are `uniqueItems`, for arrays of more than a few numbers and strings, and `enum` with objects, which
/// JSON Schema compares without regard to the order of their fields.
struct SchemaNode {
    let rules: ArenaList<SchemaRule>
    /// As it was given, for the account of a failure.
    let source: RawDocument
}

/// One keyword of a schema.
struct SchemaRule {
    let keyword: SchemaKeyword
    let test: SchemaTest
}

/// What a keyword demands. Most speak of values of one type only, and are content with all others.
enum SchemaTest {
    case type(TypeMask)
    case oneOf(SchemaValueSet)
    case compare(Comparison, RawValue)
    case multipleOf(Number)
    case length(SchemaBound)
    case pattern(Unmanaged<CompiledRegex>)
    case itemCount(SchemaBound)
    case uniqueItems
    /// One schema for all items.
    case items(ArenaList<SchemaNode>)
    /// A schema for each of the first items.
    case leadingItems(ArenaList<SchemaNode>)
    /// What comes behind them: nothing, or what the one schema admits.
    case additionalItems(after: Int, ArenaList<SchemaNode>)
    case propertyCount(SchemaBound)
    /// In parts of at most 64, so that a set of bits can say which were met.
    case required(ArenaList<ArenaList<RawKey>>)
    case properties(ArenaList<ArenaList<PropertySchema>>)
    case patternProperties(ArenaList<PatternSchema>)
    case additionalProperties(AdditionalProperties)
    case dependencies(ArenaList<Dependency>)
    case all(ArenaList<SchemaNode>)
    case any(ArenaList<SchemaNode>)
    case exactlyOne(ArenaList<SchemaNode>)
    case not(ArenaList<SchemaNode>)
}

/// The bound of a length or a count.
struct SchemaBound {
    let isMaximum: Bool
    let limit: Int64

    @inline(__always)
    func admits(_ count: Int) -> Bool { isMaximum ? count <= limit : count >= limit }
}

struct PropertySchema {
    let key: RawKey
    let node: SchemaNode
}

struct PatternSchema {
    let regex: Unmanaged<CompiledRegex>
    let pattern: RawKey
    let node: SchemaNode

    @inline(__always)
    func applies(to key: RawKey) -> Bool { regex._withUnsafeGuaranteedRef { $0.matches(bytes: key.bytes) } }
}

/// Properties that neither `properties` nor `patternProperties` speaks of.
struct AdditionalProperties {
    /// In the order of ``RawKey/schemaOrder(_:_:)``.
    let known: ArenaList<RawKey>
    let patterns: ArenaList<PatternSchema>
    /// One schema for them, or none: then there may be none of them.
    let schema: ArenaList<SchemaNode>

    @inline(__always)
    func contains(_ key: RawKey) -> Bool {
        if known.position(of: key) != nil { return false }
        for index in 0..<patterns.count where patterns[index].applies(to: key) { return false }
        return true
    }
}

/// What a property demands of the object that has it.
struct Dependency {
    let key: RawKey
    let required: ArenaList<RawKey>
    /// One, or none.
    let schema: ArenaList<SchemaNode>
}

/// The constants of `enum`: numbers, strings and the like in their order, for a binary search; objects and arrays by
/// their keys, also in order.
struct SchemaValueSet {
    let scalars: ArenaList<RawValue>
    let containers: ArenaList<ArenaList<UInt8>>
}

// Names in an order of our own, shorter ones first: the cheapest that a binary search can use.
protocol SchemaKeyed {
    var key: RawKey { get }
}

extension RawKey: SchemaKeyed {
    var key: RawKey { self }
}

extension PropertySchema: SchemaKeyed {}

extension ArenaList where Node: SchemaKeyed {
    @inline(__always)
    func position(of key: RawKey) -> Int? {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            let order = RawKey.schemaOrder(self[middle].key, key)
            if order == 0 { return middle }
            if order < 0 { low = middle + 1 } else { high = middle }
        }
        return nil
    }
}
