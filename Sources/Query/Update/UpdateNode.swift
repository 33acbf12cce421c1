internal import BSON

/// One step of an update's path.
enum UpdateStep {
    /// A field name, with the array index it spells or -1.
    case field(RawKey, index: Int)
    /// `$`
    case positional
    /// `$[]`
    case everyElement
    /// `$[identifier]`, by the place of its array filter.
    case filtered(Int)

    func isSame(as other: UpdateStep) -> Bool {
        switch (self, other) {
        case (.field(let left, _), .field(let right, _)): left == right
        case (.positional, .positional), (.everyElement, .everyElement): true
        case (.filtered(let left), .filtered(let right)): left == right
        default: false
        }
    }

    /// The order in which new fields are appended: numbers by value, then names by bytes.
    func precedes(_ other: UpdateStep) -> Bool {
        switch (self, other) {
        case (.field(let left, let leftIndex), .field(let right, let rightIndex)):
            if leftIndex >= 0, rightIndex >= 0 { return leftIndex < rightIndex }
            return left.bytes.lexicographicallyPrecedes(right.bytes)
        default: return false
        }
    }
}

/// A tree of the paths that an update touches: a modifier at each leaf.
struct UpdateNode {
    var modifier: Modifier?
    var children: [UpdateChild] = []

    /// Adds a modifier at a path.
    ///
    /// - Returns: nil, or how many steps of the path lead to the place that is taken already: no two modifiers may touch
    ///   the same field or a field within another's.
    mutating func insert(_ modifier: Modifier, at path: ArraySlice<UpdateStep>) -> Int? {
        guard self.modifier == nil else { return 0 }
        guard let step = path.first else {
            guard children.isEmpty else { return 0 }
            self.modifier = modifier
            return nil
        }
        if let index = children.firstIndex(where: { $0.step.isSame(as: step) }) {
            return children[index].node.insert(modifier, at: path.dropFirst()).map { $0 + 1 }
        }
        var node = UpdateNode()
        let conflict = node.insert(modifier, at: path.dropFirst())
        children.append(UpdateChild(step: step, node: node))
        return conflict
    }

    mutating func sort() {
        children.sort { $0.step.precedes($1.step) }
        for index in children.indices { children[index].node.sort() }
    }

    /// Whether an end of a `$rename` lies in this tree.
    var hasRename: Bool {
        switch modifier {
        case .moveAway, .moveHere: true
        default: children.contains { $0.node.hasRename }
        }
    }

    /// Both trees in one, or nil when they touch the same field.
    func merged(with other: UpdateNode) -> UpdateNode? {
        guard modifier == nil, other.modifier == nil else { return nil }
        var result = self
        for child in other.children {
            if let index = result.children.firstIndex(where: { $0.step.isSame(as: child.step) }) {
                guard let node = result.children[index].node.merged(with: child.node) else { return nil }
                result.children[index].node = node
            } else {
                result.children.append(child)
            }
        }
        result.children.sort { $0.step.precedes($1.step) }
        return result
    }
}

struct UpdateChild {
    let step: UpdateStep
    var node: UpdateNode
}
