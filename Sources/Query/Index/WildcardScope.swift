internal import BSON
internal import CommandModel

/// Which fields of documents a wildcard index sees: all but `_id`, those below one path, or as its
/// `wildcardProjection` says.
package struct WildcardScope: Sendable {
    /// What is seen of one field and of what is in it.
    enum Sight {
        case nothing
        case everything
        /// Something within, and the field itself where it is no container.
        case part(Node)
        /// Something within only.
        case within(Node)
    }

    /// A tree of the paths that are named.
    struct Node: Sendable {
        fileprivate(set) var isNamed = false
        fileprivate(set) var children: [[UInt8]: Node] = [:]
    }

    private let includes: Bool
    private var root = Node()
    private static let id = Array("_id".utf8)

    /// - Parameter path: what stands before `$**`, empty for nothing.
    init(path: String, projection: RawDocument?) {
        guard path.isEmpty else {
            includes = true
            root.insert(path)
            return
        }
        let paths = projection.map { WildcardProjection.leaves($0) } ?? []
        let id = paths.last { $0.path == "_id" }?.isIncluded
        let others = paths.filter { $0.path != "_id" }
        includes = others.first?.isIncluded ?? id ?? false
        for path in others { root.insert(path.path) }
        if (id ?? false) == includes { root.insert("_id") }
    }

    /// Of a whole document.
    var sight: Sight { sight(root) }

    private func sight(_ node: Node) -> Sight {
        if node.isNamed { return includes ? .everything : .nothing }
        return includes ? .within(node) : node.children.isEmpty ? .everything : .part(node)
    }

    func sight(of name: RawKey, in parent: Sight) -> Sight {
        switch parent {
        case .nothing, .everything: return parent
        case .part(let node), .within(let node):
            guard let child = node.children[Array(name.bytes)] else { return includes ? .nothing : .everything }
            return sight(child)
        }
    }

    /// Whether there are keys for all that lies at or below a path.
    ///
    /// - Parameter path: dotted, without indexes of arrays.
    package func covers(_ path: String) -> Bool {
        var node = root
        for name in path.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
            if node.isNamed { break }
            guard let child = node.children[Array(name)] else { return !includes }
            node = child
        }
        return includes ? node.isNamed : !node.isNamed && node.children.isEmpty
    }
}

extension WildcardScope.Node {
    fileprivate mutating func insert(_ path: String) {
        insert(path.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).map(Array.init)[...])
    }

    /// The recursion is as deep as a path is long.
    private mutating func insert(_ names: ArraySlice<[UInt8]>) {
        guard let name = names.first else {
            isNamed = true
            return
        }
        children[name, default: Self()].insert(names.dropFirst())
    }
}
