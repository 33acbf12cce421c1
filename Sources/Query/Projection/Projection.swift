package import BSON
package import CommandModel

/// A compiled projection: which parts of a document a reply shows.
package struct Projection: Sendable {
    let root: ProjectionNode
    /// Whether what is not named is left out.
    let isInclusion: Bool
    let showsID: Bool
    /// The query's filter, when the positional `$` needs it.
    let positionalFilter: Filter?
    /// An inclusion's `$elemMatch` results follow all other fields; an exclusion's stay in place.
    let hasTrailingMatches: Bool

    /// Shows documents as they are.
    package static let identity = Projection()

    private init() {
        root = ProjectionNode()
        isInclusion = false
        showsID = true
        positionalFilter = nil
        hasTrailingMatches = false
    }

    /// - Parameter filter: the query's, for the positional `$`.
    package init(compiling projection: Document, filter: Filter? = nil) throws(CommandError) {
        self = try projection.withRaw { raw throws(CommandError) in
            try Projection(compiling: raw, filter: filter)
        }
    }

    package init(compiling projection: RawDocument, filter: Filter? = nil) throws(CommandError) {
        var compiler = ProjectionCompiler()
        try compiler.compile(projection)
        root = compiler.root
        isInclusion = compiler.mode == .inclusion
        showsID = compiler.showsID ?? true
        positionalFilter = compiler.hasPositional ? filter ?? .everything : nil
        hasTrailingMatches = compiler.hasElementMatch && isInclusion
    }

    /// True when every document comes out as it went in.
    package var isIdentity: Bool { !isInclusion && root.children.isEmpty && showsID }

    /// Appends the fields of `row` that the projection shows, and what it computes from them.
    ///
    /// - Throws: when the positional `$` finds no element.
    package func write(_ row: RawDocument, into builder: inout DocumentBuilder) throws(CommandError) {
        let writer = ProjectionWriter(isInclusion: isInclusion, position: try position(in: row))
        for element in row {
            if element.key == "_id", let shown = idIsShownWhole {
                if shown { builder.append(element) }
                continue
            }
            try writer.write(element, by: root.child(element.key), into: &builder)
        }
        if hasTrailingMatches { writer.writeElementMatches(of: row, by: root, into: &builder) }
    }

    /// Nil when the projection goes into the parts of `_id`.
    private var idIsShownWhole: Bool? {
        root.children.contains { $0.name.elementsEqual("_id".utf8) } ? nil : showsID
    }

    private func position(in row: RawDocument) throws(CommandError) -> Int? {
        guard let positionalFilter else { return nil }
        guard case .yes(let index) = positionalFilter.match(row) else { return nil }
        return index
    }
}

/// Writes one document's projection.
struct ProjectionWriter {
    let isInclusion: Bool
    /// Where the query matched in an array.
    let position: Int?

    func write(
        _ element: RawElement, by node: ProjectionNode?, into builder: inout DocumentBuilder
    ) throws(CommandError) {
        guard let node else {
            if !isInclusion { builder.append(element) }
            return
        }
        if let action = node.action { return try write(element, action, into: &builder) }
        if let document = element.value.document {
            builder.beginDocument(element.key)
            for inner in document { try write(inner, by: node.child(inner.key), into: &builder) }
            builder.end()
        } else if let array = element.value.array {
            builder.beginArray(element.key)
            try writeElements(array, by: node, into: &builder)
            builder.end()
        } else if !isInclusion {
            builder.append(element)
        }
    }

    /// A path goes through arrays, also nested ones, to the documents in them; an inclusion drops what is no document.
    private func writeElements(
        _ array: RawDocument, by node: ProjectionNode, into builder: inout DocumentBuilder
    ) throws(CommandError) {
        var index = 0
        for element in array {
            if let document = element.value.document {
                builder.beginDocument(index: index)
                for inner in document { try write(inner, by: node.child(inner.key), into: &builder) }
                builder.end()
            } else if let inner = element.value.array {
                builder.beginArray(index: index)
                try writeElements(inner, by: node, into: &builder)
                builder.end()
            } else if isInclusion {
                continue
            } else {
                builder.append(index: index, element.value)
            }
            index += 1
        }
    }

    private func write(
        _ element: RawElement, _ action: ProjectionAction, into builder: inout DocumentBuilder
    ) throws(CommandError) {
        switch action {
        case .include: builder.append(element)
        case .exclude: return
        case .elementMatch(let filter):
            if !isInclusion { Self.writeFirstMatch(element.key, element.value, filter, into: &builder) }
        case .slice(let skip, let count): writeSlice(element, skip, count, into: &builder)
        case .positional: try writePositional(element, into: &builder)
        }
    }

    private func writeSlice(_ element: RawElement, _ skip: Int?, _ count: Int, into builder: inout DocumentBuilder) {
        guard let array = element.value.array else { return builder.append(element) }
        let elements = array.map(\.value)
        builder.beginArray(element.key)
        for (index, value) in Self.slice(elements, skip, count).enumerated() { builder.append(index: index, value) }
        builder.end()
    }

    private static func slice(_ elements: [RawValue], _ skip: Int?, _ count: Int) -> ArraySlice<RawValue> {
        guard let skip else { return count < 0 ? elements.suffix(-count) : elements.prefix(count) }
        let start = skip < 0 ? Swift.max(elements.count + skip, 0) : Swift.min(skip, elements.count)
        return elements[start...].prefix(count)
    }

    private func writePositional(_ element: RawElement, into builder: inout DocumentBuilder) throws(CommandError) {
        guard let array = element.value.array else { return builder.append(element) }
        guard let position else {
            throw CommandError(
                ErrorCode(51246),
                "Executor error during find command :: caused by :: positional operator '.$' couldn't find a matching "
                    + "element in the array")
        }
        let elements = array.map(\.value)
        guard position < elements.count else {
            throw CommandError(
                ErrorCode(51247),
                "Executor error during find command :: caused by :: positional operator '.$' element mismatch")
        }
        builder.beginArray(element.key)
        builder.append(index: 0, elements[position])
        builder.end()
    }

    /// `$elemMatch` results follow the other fields, in the order of the projection.
    func writeElementMatches(of row: RawDocument, by root: ProjectionNode, into builder: inout DocumentBuilder) {
        for child in root.children {
            guard case .elementMatch(let filter) = child.node.action else { continue }
            child.name.withUnsafeBytes { bytes in
                guard let start = bytes.baseAddress else { return }
                let key = RawKey(start: start, count: bytes.count)
                guard let value = row[key] else { return }
                Self.writeFirstMatch(key, value, filter, into: &builder)
            }
        }
    }

    private static func writeFirstMatch(
        _ key: RawKey, _ value: RawValue, _ filter: Filter, into builder: inout DocumentBuilder
    ) {
        guard let found = firstMatch(in: value, filter) else { return }
        builder.beginArray(key)
        builder.append(index: 0, found)
        builder.end()
    }

    private static func firstMatch(in value: RawValue, _ filter: Filter) -> RawValue? {
        guard let array = value.array else { return nil }
        // The filter is `{"": {$elemMatch: …}}`: what it says of one element, it says of an array of one.
        let index = Document { $0.append("", value) }.withRaw { raw -> Int? in
            if case .yes(let index) = filter.match(raw) { index } else { nil }
        }
        guard let index else { return nil }
        return array.map(\.value)[index]
    }
}
