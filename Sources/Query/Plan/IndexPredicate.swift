internal import BSON

/// A filter as indexes see it: conditions on paths and how they are joined. Built once per plan from the compiled
/// tests; what an index can say nothing about is ``unknown``.
indirect enum IndexPredicate {
    case unknown
    case never
    case test(FieldCondition)
    case comparison(FieldComparison)
    /// `$text`.
    case text
    case all([IndexPredicate])
    case any([IndexPredicate])
    case none([IndexPredicate])
    /// `$elemMatch` of documents: the conditions hold for one element, their paths begin at the root all the same.
    case element(ElementScope, [IndexPredicate])

    struct FieldCondition {
        let path: IndexPath
        let test: ValueTest
        let isNegated: Bool
    }
}

/// One `$elemMatch`: what stands in it is met by one and the same element of the array at `path`.
struct ElementScope: Equatable {
    let number: Int
    let path: IndexPath
}

/// A dotted path.
struct IndexPath: Equatable {
    let bytes: [UInt8]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    init(_ path: String) {
        bytes = Array(path.utf8)
    }

    var components: [ArraySlice<UInt8>] {
        bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    }

    var isDotted: Bool { bytes.contains(UInt8(ascii: ".")) }

    /// A component may be an index into an array.
    var hasNumber: Bool { components.contains(where: Self.isNumber) }

    /// The same, of the components after those of `prefix`.
    func hasNumber(after prefix: IndexPath) -> Bool {
        components.dropFirst(prefix.components.count).contains(where: Self.isNumber)
    }

    private static func isNumber(_ component: ArraySlice<UInt8>) -> Bool {
        component.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    func appending(_ key: RawKey) -> IndexPath {
        bytes.isEmpty ? IndexPath(Array(key.bytes)) : IndexPath(bytes + [UInt8(ascii: ".")] + key.bytes)
    }

    /// The components that both begin with; nil when there are none.
    func common(with other: IndexPath) -> IndexPath? {
        let common = zip(components, other.components).prefix { $0 == $1 }.map(\.0)
        return common.isEmpty ? nil : IndexPath(Array(common.joined(separator: [UInt8(ascii: ".")])))
    }
}

extension Filter {
    /// The conjunction that the filter is. What it points to lives as long as the filter.
    var indexPredicates: [IndexPredicate] {
        var builder = IndexPredicateBuilder()
        return IndexPredicate.conjuncts(of: builder.build(program.root, IndexPath([])))
    }
}

/// The recursion is as deep as the filter's, which its compiler has bounded.
private struct IndexPredicateBuilder {
    private var scopes = 0

    mutating func build(_ test: DocumentTest, _ prefix: IndexPath) -> IndexPredicate {
        switch test {
        case .constant(let value): return value ? .all([]) : .never
        case .all(let children): return .all(children.nodes.map { build($0, prefix) })
        case .any(let children): return .any(children.nodes.map { build($0, prefix) })
        case .none(let children): return .none(children.nodes.map { build($0, prefix) })
        case .fields(let groups):
            return .all(
                groups.nodes.flatMap { group in
                    let path = prefix.appending(group.key)
                    return group.tests.nodes.map { build($0, path) }
                })
        case .expression(let expression): return IndexPredicate(expression)
        case .text: return .text
        case .schema, .near, .sample: return .unknown
        }
    }

    private mutating func build(_ test: PathTest, _ first: IndexPath) -> IndexPredicate {
        let path = test.steps.nodes.reduce(first) { $0.appending($1.key) }
        guard case .elementMatches(let tests) = test.test, !test.isNegated else {
            return .test(.init(path: path, test: test.test, isNegated: test.isNegated))
        }
        scopes += 1
        let scope = ElementScope(number: scopes, path: path)
        return .element(scope, IndexPredicate.conjuncts(of: build(tests[0], path)))
    }
}

extension IndexPredicate {
    static func conjuncts(of predicate: IndexPredicate) -> [IndexPredicate] {
        guard case .all(let children) = predicate else { return [predicate] }
        return children.flatMap(conjuncts)
    }
}
