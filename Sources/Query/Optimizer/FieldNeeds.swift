internal import BSON

/// Which parts of documents somebody reads: everything, or a tree of names.
///
/// A part that is not named as a whole keeps its shape: a document stays a document, with the named fields in their
/// order; an array keeps the number and the kind of its elements; other values stay. So whoever walks a path that is in
/// the tree meets the same documents and arrays on the way, and finds nothing where there was nothing. Field order,
/// fields of the same name, and what is an error with the whole document stay as they are.
struct FieldNeeds: Sendable {
    struct Child: Sendable {
        /// A copy: the programs that are asked go away before what is made of this does.
        let name: [UInt8]
        fileprivate(set) var needs: FieldNeeds
    }

    private(set) var isWhole = false
    private(set) var children: [Child] = []

    /// Nothing but what kind of value it is.
    static let shape = FieldNeeds()
    static let whole: FieldNeeds = {
        var needs = FieldNeeds()
        needs.isWhole = true
        return needs
    }()

    subscript(name: RawKey) -> FieldNeeds? {
        if isWhole { return .whole }
        return children.first { name.hasBytes($0.name) }?.needs
    }

    /// Adds what is read at a path.
    mutating func insert(_ path: some Collection<RawKey>, _ needs: FieldNeeds = .whole) {
        insert(path.map { Array($0.bytes) }[...], needs, depth: 0)
    }

    /// Adds a field at the top.
    mutating func insert(_ name: [UInt8]) { insert([name][...], .whole, depth: 0) }

    mutating func formUnion(_ other: FieldNeeds) {
        guard !isWhole else { return }
        guard !other.isWhole else {
            self = .whole
            return
        }
        for child in other.children { insert([child.name][...], child.needs, depth: 0) }
    }

    /// - Parameter depth: of this node. Below the top a number may be the index of an array, whose other elements then
    ///   decide where it is: the array is taken whole.
    private mutating func insert(_ path: ArraySlice<[UInt8]>, _ needs: FieldNeeds, depth: Int) {
        guard !isWhole else { return }
        guard let name = path.first else { return formUnion(needs) }
        guard depth == 0 || !name.allSatisfy({ (48...57).contains($0) }) else {
            self = .whole
            return
        }
        if let index = children.firstIndex(where: { $0.name == name }) {
            children[index].needs.insert(path.dropFirst(), needs, depth: depth + 1)
        } else {
            var child = FieldNeeds()
            child.insert(path.dropFirst(), needs, depth: depth + 1)
            children.append(Child(name: name, needs: child))
        }
    }

    /// Takes out a field at the top, unless everything is needed.
    mutating func remove(_ name: RawKey) {
        children.removeAll { name.hasBytes($0.name) }
    }

    /// Whether all names at the top fulfil `predicate`.
    func names(_ predicate: (RawKey) -> Bool) -> Bool {
        guard !isWhole else { return false }
        return children.allSatisfy { child in
            child.name.withUnsafeBytes { bytes in
                guard let start = bytes.baseAddress else { return false }
                return predicate(RawKey(start: start, count: bytes.count))
            }
        }
    }
}

extension RawKey {
    fileprivate func hasBytes(_ name: [UInt8]) -> Bool {
        count == name.count && bytes.elementsEqual(name)
    }
}
