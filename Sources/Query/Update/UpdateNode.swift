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
    private(set) var children: [UpdateChild] = []
    /// Where the child of a field name is, once there are so many that looking through them would add up: the names
    /// come from clients, and each is looked for once per name and once per field of a document.
    private var places: [FieldName: Int] = [:]

    private static let searchedMax = 16

    init(modifier: Modifier? = nil, children: [UpdateChild] = []) {
        self.modifier = modifier
        self.children = children
        index()
    }

    /// The child of a field name.
    func place(of key: RawKey) -> Int? {
        if children.count > Self.searchedMax { return places[FieldName(key: key)] }
        for (place, child) in children.enumerated() {
            if case .field(let name, _) = child.step, name == key { return place }
        }
        return nil
    }

    private func place(of step: UpdateStep) -> Int? {
        if case .field(let key, _) = step { return place(of: key) }
        return children.firstIndex { $0.step.isSame(as: step) }
    }

    private mutating func add(_ child: UpdateChild) {
        children.append(child)
        if children.count == Self.searchedMax + 1 {
            index()
        } else if children.count > Self.searchedMax, case .field(let key, _) = child.step {
            places[FieldName(key: key)] = children.count - 1
        }
    }

    private mutating func index() {
        guard children.count > Self.searchedMax else { return }
        for (place, child) in children.enumerated() {
            if case .field(let key, _) = child.step { places[FieldName(key: key)] = place }
        }
    }

    /// Adds a modifier at a path.
    ///
    /// - Returns: nil, or how many steps of the path lead to the place that is taken already: no two modifiers may
    ///   touch the same field or a field within another's.
    mutating func insert(_ modifier: Modifier, at path: ArraySlice<UpdateStep>) -> Int? {
        guard self.modifier == nil else { return 0 }
        guard let step = path.first else {
            guard children.isEmpty else { return 0 }
            self.modifier = modifier
            return nil
        }
        if let index = place(of: step) {
            return children[index].node.insert(modifier, at: path.dropFirst()).map { $0 + 1 }
        }
        var node = UpdateNode()
        let conflict = node.insert(modifier, at: path.dropFirst())
        add(UpdateChild(step: step, node: node))
        return conflict
    }

    mutating func sort() {
        children.sort { $0.step.precedes($1.step) }
        for index in children.indices { children[index].node.sort() }
        index()
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
            if let index = result.place(of: child.step) {
                guard let node = result.children[index].node.merged(with: child.node) else { return nil }
                result.children[index].node = node
            } else {
                result.add(child)
            }
        }
        result.children.sort { $0.step.precedes($1.step) }
        result.index()
        return result
    }
}

/// A borrowed name as a key of a dictionary.
private struct FieldName: Hashable {
    let key: RawKey

    func hash(into hasher: inout Hasher) { hasher.combine(bytes: key.bytes) }
}

struct UpdateChild {
    let step: UpdateStep
    var node: UpdateNode
}
