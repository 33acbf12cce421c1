internal import BSON

/// A tree of the paths that a projection names.
struct ProjectionNode: Sendable {
    struct Child: Sendable {
        let name: [UInt8]
        var node: ProjectionNode
    }

    var action: ProjectionAction?
    var children: [Child] = []

    @inline(__always)
    func child(_ key: RawKey) -> ProjectionNode? {
        for child in children where child.name.count == key.count && key.bytes.elementsEqual(child.name) {
            return child.node
        }
        return nil
    }

    /// Adds an action at a path.
    ///
    /// - Returns: nil, or how the path collides with an earlier one.
    mutating func insert(_ action: ProjectionAction, at path: ArraySlice<RawKey>) -> Collision? {
        if self.action != nil { return .withParent(remaining: path.map(\.string).joined(separator: ".")) }
        guard let key = path.first else {
            guard children.isEmpty else { return .withChild }
            self.action = action
            return nil
        }
        if let index = children.firstIndex(where: { key.bytes.elementsEqual($0.name) }) {
            return children[index].node.insert(action, at: path.dropFirst())
        }
        var node = ProjectionNode()
        let collision = node.insert(action, at: path.dropFirst())
        children.append(Child(name: Array(key.bytes), node: node))
        return collision
    }

    enum Collision {
        case withParent(remaining: String)
        case withChild
    }
}

/// What happens at the end of a projection's path.
enum ProjectionAction: Sendable {
    case include
    case exclude
    /// `skip` counts from the end when negative; without it a negative `count` does.
    case slice(skip: Int?, count: Int)
    /// The first element that matches, as an array of one.
    case elementMatch(Filter)
    /// The element that the query matched.
    case positional
}
