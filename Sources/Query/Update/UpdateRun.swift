internal import BSON
internal import CommandModel

/// One application of modifiers to one document.
struct UpdateRun {
    /// As many elements as an index beyond an array's end may add.
    static let paddingMax = 1_500_000

    let plan: UpdatePlan
    let original: RawDocument
    var writer = UpdateWriter()
    /// The names that lead to where the run is, for messages.
    private var path: [RawKey] = []

    private let isInsert: Bool
    var meter: WorkMeter

    init(plan: UpdatePlan, original: RawDocument, isInsert: Bool) {
        self.plan = plan
        self.original = original
        self.isInsert = isInsert
        meter = WorkMeter(plan.patience)
    }

    mutating func rewrite(_ document: RawDocument, by tree: UpdateNode) throws(CommandError) -> Document {
        writer.reserve(document.bytes.count + 128)
        writer.begin()
        try rewriteFields(document, by: tree)
        try writer.end()
        return writer.finish()
    }

    // MARK: what exists

    private mutating func rewriteFields(_ document: RawDocument, by node: UpdateNode) throws(CommandError) {
        let children = node.children
        var isSeen = [Bool](repeating: false, count: children.count)
        var copied = document.bytes.baseAddress.map { $0 + 4 }
        for element in document {
            guard let index = node.place(of: element.key), !isSeen[index] else { continue }
            isSeen[index] = true
            writer.copy(from: copied, to: element.key.start - 1)
            try rewrite(element.key, element.value, by: children[index].node)
            copied = element.value.start + element.value.count
        }
        writer.copy(from: copied, to: document.bytes.baseAddress.map { $0 + document.bytes.count - 1 })
        for (index, child) in children.enumerated() where !isSeen[index] {
            guard case .field(let key, _) = child.step else { throw notAnArray() }
            try create(key, child.node)
        }
    }

    private mutating func rewrite(
        _ key: RawKey, _ value: RawValue, by node: UpdateNode, isElement: Bool = false
    ) throws(CommandError) {
        try refuseDollar(key, node)
        path.append(key)
        defer { path.removeLast() }
        if let modifier = node.modifier {
            try apply(modifier, key, value, isElement: isElement)
        } else if let document = value.document {
            writer.begin(.document, key)
            try rewriteFields(document, by: node)
            try writer.end()
        } else if let array = value.array {
            try refuseRename(through: node)
            writer.begin(.array, key)
            try rewriteElements(array, by: node.children)
            try writer.end()
        } else {
            try refuseStep(into: value, node)
            writer.append(key, value)
        }
    }

    private mutating func rewriteElements(_ array: RawDocument, by children: [UpdateChild]) throws(CommandError) {
        let children = try childrenOfArray(children)
        var count = 0
        for element in array {
            if let node = try node(for: element.value, at: count, children) {
                try rewrite(element.key, element.value, by: node, isElement: true)
            } else {
                writer.append(element.key, element.value)
            }
            count += 1
        }
        for child in children {
            guard case .field(_, let index) = child.step, index >= count else { continue }
            guard canCreate(child.node) else { continue }
            count = try pad(from: count, to: index)
            try createElement(index, child.node)
            count += 1
        }
    }

    /// The children that mean elements; a field name on an array is an error if it would have to be made.
    private func childrenOfArray(_ children: [UpdateChild]) throws(CommandError) -> [UpdateChild] {
        var elements: [UpdateChild] = []
        for child in children {
            if case .field(let key, let index) = child.step, index < 0 {
                guard !needsPath(child.node) else { throw cannotCreate(key, in: "an array") }
            } else {
                elements.append(child)
            }
        }
        return elements
    }

    /// What happens to one element: the merge of all children that mean it.
    private func node(
        for element: RawValue, at index: Int, _ children: [UpdateChild]
    ) throws(CommandError) -> UpdateNode? {
        var result: UpdateNode?
        for child in children where try plan.selects(child.step, element, at: index) {
            guard let earlier = result else {
                result = child.node
                continue
            }
            guard let merged = earlier.merged(with: child.node) else {
                throw CommandError(
                    .conflictingUpdateOperators, "Update created a conflict at '\(pathText(appending: "\(index)"))'")
            }
            result = merged
        }
        return result
    }

    /// `$rename` does not reach into arrays, neither from nor to.
    private func refuseRename(through node: UpdateNode) throws(CommandError) {
        guard node.hasRename else { return }
        throw CommandError(
            .badValue,
            "The source or destination field of $rename cannot be an array element: \(documentText) has an array field "
                + "called '\(pathText)'")
    }

    private mutating func pad(from count: Int, to index: Int) throws(CommandError) -> Int {
        guard index - count <= Self.paddingMax else {
            throw CommandError(
                ErrorCode(34, "CannotBackfillArray"), "Can't backfill more than \(Self.paddingMax) elements of an array"
            )
        }
        for position in count..<index {
            // Several paths may ask for as much each: what cannot be stored is not written to its end.
            guard writer.byteCount <= UpdateProgram.documentBytesMax else { throw UpdateProgram.tooLarge }
            withIndexName(position) { writer.append($0, RawValue(type: .null, start: $0.start, count: 0)) }
        }
        return index
    }

    private func refuseStep(into value: RawValue, _ node: UpdateNode) throws(CommandError) {
        for child in node.children {
            guard case .field(let key, _) = child.step else { throw notAnArray() }
            if needsPath(child.node) { throw cannotCreate(key, in: value.errorText) }
        }
    }

    // MARK: what does not exist

    private mutating func create(_ key: RawKey, _ node: UpdateNode) throws(CommandError) {
        try refuseDollar(key, node)
        path.append(key)
        defer { path.removeLast() }
        if let modifier = node.modifier {
            try apply(modifier, key, nil, isElement: false)
            return
        }
        guard canCreate(node) else { return try refuseArraySteps(node) }
        writer.begin(.document, key)
        for child in node.children {
            guard case .field(let key, _) = child.step else { throw mustExist() }
            try create(key, child.node)
        }
        try writer.end()
    }

    private mutating func createElement(_ index: Int, _ node: UpdateNode) throws(CommandError) {
        let result: Result<Void, CommandError> = withIndexName(index) { name in
            do throws(CommandError) { return .success(try create(name, node)) } catch { return .failure(error) }
        }
        try result.get()
    }

    /// `$[]` and its like need an array to be there, even under a modifier that would make nothing.
    private func refuseArraySteps(_ node: UpdateNode) throws(CommandError) {
        for child in node.children {
            guard case .field = child.step else { throw mustExist() }
        }
    }

    /// Whether the path must not lead through a scalar: some modifiers that make nothing insist on that too.
    private func needsPath(_ node: UpdateNode) -> Bool {
        switch node.modifier {
        case .pop, .moveAway: true
        case .some(let modifier): creates(modifier)
        case .none: node.children.contains { needsPath($0.node) }
        }
    }

    private func canCreate(_ node: UpdateNode) -> Bool {
        if let modifier = node.modifier { return creates(modifier) }
        return node.children.contains { canCreate($0.node) }
    }
}

// Messages.
extension UpdateRun {
    var pathText: String { path.map(\.string).joined(separator: ".") }

    private func pathText(appending name: String) -> String { path.isEmpty ? name : "\(pathText).\(name)" }

    private func cannotCreate(_ key: RawKey, in value: String) -> CommandError {
        CommandError(
            .pathNotViable,
            "Cannot create field '\(key.string)' in element {\(path.last?.string ?? ""): \(value)}")
    }

    /// Nested names and those of new documents may begin with a dollar.
    private func refuseDollar(_ key: RawKey, _ node: UpdateNode) throws(CommandError) {
        guard path.isEmpty, !isInsert, key.startsWithDollar, canCreate(node) else { return }
        throw CommandError(
            .dollarPrefixedFieldName,
            "The dollar ($) prefixed field '\(key.string)' in '\(key.string)' is not allowed in the context of an "
                + "update's replacement document. Consider using an aggregation pipeline with $replaceWith.")
    }

    private func notAnArray() -> CommandError {
        CommandError(.badValue, "Cannot apply array updates to non-array element \(pathText)")
    }

    private func mustExist() -> CommandError {
        CommandError(
            .badValue, "The path '\(pathText)' must exist in the document in order to apply array updates.")
    }
}
