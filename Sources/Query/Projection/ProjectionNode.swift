internal import BSON

/// The paths that a projection names and what happens there, as a tree, while it is compiled.
struct ProjectionNode {
    struct Child {
        let key: RawKey
        var node: ProjectionNode
    }

    private(set) var action: ProjectionAction?
    private(set) var children: [Child] = []

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
        if let index = children.firstIndex(where: { $0.key == key }) {
            return children[index].node.insert(action, at: path.dropFirst())
        }
        var node = ProjectionNode()
        let collision = node.insert(action, at: path.dropFirst())
        children.append(Child(key: key, node: node))
        return collision
    }

    /// Beside a positional `$` of the same path a `$slice` is not the projection operator but the expression.
    func isPositional(at path: ArraySlice<RawKey>) -> Bool {
        guard let key = path.first else {
            if case .positional? = action { return true }
            return false
        }
        return children.first { $0.key == key }?.node.isPositional(at: path.dropFirst()) ?? false
    }

    enum Collision {
        case withParent(remaining: String)
        case withChild
    }

    /// The tree as a program: nodes in the arena.
    func fields(in arena: ProgramArena) -> ProjectionFields {
        let list = children.map { child in
            ProjectionField(
                key: child.key,
                action: child.node.action ?? .fields(child.node.fields(in: arena)))
        }
        return ProjectionFields(list: arena.list(list), adds: list.contains(where: \.action.adds))
    }
}

/// What happens to the fields of a document that a projection names.
struct ProjectionFields {
    let list: ArenaList<ProjectionField>
    /// Whether a field may come out that did not go in.
    let adds: Bool

    /// The place of a field in the list.
    @inline(__always)
    func index(of key: RawKey) -> Int? {
        for index in 0..<list.count where list[index].key == key { return index }
        return nil
    }
}

struct ProjectionField {
    let key: RawKey
    let action: ProjectionAction
}

/// What happens to one field.
enum ProjectionAction {
    case include
    case exclude
    /// `skip` counts from the end when negative; without it a negative `count` does.
    case slice(skip: Int?, count: Int)
    /// The first element that matches, as an array of one.
    case elementMatch(Unmanaged<FilterProgram>)
    /// The element that the query matched.
    case positional
    case compute(Expression)
    /// `$meta`.
    case metadata(Metadata)
    /// Something further down.
    case fields(ProjectionFields)

    var adds: Bool {
        switch self {
        case .compute, .metadata: true
        case .fields(let fields): fields.adds
        default: false
        }
    }
}
