internal import BSON
internal import CommandModel

/// What a compiled update consists of, and the memory its values lie in.
///
// Safety: immutable after init; all pointers in it point into the arena it owns.
final class UpdatePlan: @unchecked Sendable {
    enum Action {
        case replacement(RawDocument)
        case modifiers(ModifierTrees)
        case pipeline(UpdatePipeline)
        case delta(DocumentDelta)
    }

    let action: Action
    let time: UpdateTime
    /// How strings compare; `_id` and what is no change are a matter of bytes nonetheless.
    let order: ValueOrder
    /// Nil where modifiers are never given up.
    let patience: Patience?
    private let arrayFilters: [ArrayFilter]
    private let arena: ProgramArena

    init(
        _ update: RawValue, arrayFilters: [Document], multi: Bool, keepsEmptyTimestamps: Bool,
        constants: Document?, environment: ExpressionEnvironment, time: UpdateTime
    ) throws(CommandError) {
        arena = ProgramArena()
        self.time = time
        order = ValueOrder(environment.collator)
        patience = environment.patience
        if let stages = update.array {
            self.arrayFilters = []
            action = .pipeline(try UpdatePipeline(stages, constants: constants, in: environment))
            return
        }
        guard let document = update.document else {
            throw CommandError(.failedToParse, "Update argument must be either an object or an array")
        }
        let source = arena.copy(document)
        if source.firstKey?.startsWithDollar == true {
            let filters = try ArrayFilter.compile(arrayFilters, order.collator, patience)
            var compiler = UpdateCompiler(
                arena: arena, arrayFilters: filters, collator: order.collator, patience: patience)
            let trees = try compiler.compile(source)
            self.arrayFilters = filters
            action = .modifiers(trees)
        } else {
            try Self.check(replacement: source, arrayFilters, multi: multi)
            self.arrayFilters = []
            action = .replacement(keepsEmptyTimestamps ? source : Self.fillingTimestamps(of: source, time, arena))
        }
    }

    init(applying delta: DocumentDelta) {
        arena = ProgramArena()
        time = .now()
        order = ValueOrder(nil)
        patience = nil
        arrayFilters = []
        action = .delta(delta)
    }

    private static func fillingTimestamps(
        of document: RawDocument, _ time: UpdateTime, _ arena: ProgramArena
    ) -> RawDocument {
        func isEmptyTimestamp(_ element: RawElement) -> Bool {
            element.value.timestamp == 0 && !(element.key == "_id")
        }
        guard document.contains(where: isEmptyTimestamp) else { return document }
        let filled = Document { builder in
            for element in document {
                if isEmptyTimestamp(element) {
                    builder.append(element.key, Value.timestamp(time.timestamp))
                } else {
                    builder.append(element)
                }
            }
        }
        return filled.withRaw { arena.copy($0) }
    }

    private static func check(
        replacement: RawDocument, _ arrayFilters: [Document], multi: Bool
    ) throws(CommandError) {
        guard !multi else {
            throw CommandError(.failedToParse, "multi update is not supported for replacement-style update")
        }
        guard arrayFilters.isEmpty else {
            throw CommandError(.failedToParse, "arrayFilters may not be specified for replacement-style updates")
        }
        for element in replacement where element.key.startsWithDollar {
            let name = element.key.string
            throw CommandError(
                .dollarPrefixedFieldName,
                "The dollar ($) prefixed field '\(name)' in '\(name)' is not allowed in the context of an update's "
                    + "replacement document. Consider using an aggregation pipeline with $replaceWith.")
        }
    }

    /// Whether a step of a path means this element of an array.
    func selects(_ step: UpdateStep, _ element: RawValue, at index: Int) throws(CommandError) -> Bool {
        switch step {
        case .field(_, let wanted): wanted == index
        case .everyElement: true
        case .filtered(let filter): try arrayFilters[filter].matches(element)
        // Resolved before a run begins.
        case .positional: false
        }
    }
}

/// The modifiers of an update as trees of paths: `$setOnInsert` counts only when inserting.
struct ModifierTrees {
    var onUpdate = UpdateNode()
    var onInsert = UpdateNode()
    var usesPositional = false

    /// The tree with `$` replaced by the index it stands for.
    ///
    /// - Parameter arena: where the index's digits go.
    func resolved(
        _ tree: UpdateNode, _ arena: ProgramArena, _ position: () throws(CommandError) -> Int
    ) throws(CommandError) -> UpdateNode {
        guard usesPositional else { return tree }
        let index = try position()
        return try Self.resolve(tree, .field(arena.copy(String(index)), index: index))
    }

    private static func resolve(_ node: UpdateNode, _ step: UpdateStep) throws(CommandError) -> UpdateNode {
        var result = UpdateNode(modifier: node.modifier)
        for child in node.children {
            var child = UpdateChild(step: child.step, node: try resolve(child.node, step))
            if case .positional = child.step { child = UpdateChild(step: step, node: child.node) }
            guard let merged = result.merged(with: UpdateNode(children: [child])) else {
                throw CommandError(.conflictingUpdateOperators, "Update created a conflict at a positional path")
            }
            result = merged
        }
        return result
    }
}

/// One of `arrayFilters`: a condition on elements, under the name that paths use as `$[name]`.
struct ArrayFilter {
    let identifier: String
    let filter: Filter

    func matches(_ element: RawValue) throws(CommandError) -> Bool {
        var name = identifier
        let wrapped = name.withUTF8 { bytes in
            Document { builder in
                guard let start = bytes.baseAddress else { return }
                builder.append(RawKey(start: start, count: bytes.count), element)
            }
        }
        return try filter.matches(wrapped)
    }

    static func compile(
        _ documents: [Document], _ collator: Collator?, _ patience: Patience?
    ) throws(CommandError) -> [ArrayFilter] {
        var filters: [ArrayFilter] = []
        for document in documents {
            let identifier = try document.withRaw { raw throws(CommandError) in try self.identifier(raw) }
            let filter = try Filter(compiling: document, collator: collator, patience: patience)
            guard let identifier else {
                throw CommandError(
                    .failedToParse, "Cannot use an expression without a top-level field name in arrayFilters")
            }
            guard !filters.contains(where: { $0.identifier == identifier }) else {
                throw CommandError(
                    .failedToParse,
                    "Found multiple array filters with the same top-level field name \(identifier)")
            }
            filters.append(ArrayFilter(identifier: identifier, filter: filter))
        }
        return filters
    }

    /// The first component of all paths in the condition, also of those inside `$and`, `$or` and `$nor`.
    private static func identifier(_ condition: RawDocument, depth: Int = 0) throws(CommandError) -> String? {
        var found: String?
        for element in condition {
            let name: String?
            if !element.key.startsWithDollar {
                name = element.key.components[0].string
                try checkName(name ?? "")
            } else if element.key == "$text" || element.key == "$where" {
                throw CommandError(.badValue, "\(element.key.string) is not allowed in this context")
            } else {
                name = try nestedIdentifier(element.value, depth: depth)
            }
            found = try same(found, name)
        }
        return found
    }

    private static func same(_ found: String?, _ name: String?) throws(CommandError) -> String? {
        guard let found, let name, found != name else { return name ?? found }
        throw CommandError(
            .failedToParse,
            "Error parsing array filter :: caused by :: Expected a single top-level field name, found "
                + "'\(found)' and '\(name)'")
    }

    private static func nestedIdentifier(_ value: RawValue, depth: Int) throws(CommandError) -> String? {
        guard depth < FilterCompiler.depthMax, let branches = value.array else { return nil }
        var found: String?
        for branch in branches {
            guard let document = branch.value.document else { continue }
            found = try same(found, try identifier(document, depth: depth + 1))
        }
        return found
    }

    private static func checkName(_ name: String) throws(CommandError) {
        let isValid =
            name.utf8.first.map { (97...122).contains($0) } == true
            && name.utf8.allSatisfy { (97...122).contains($0) || (65...90).contains($0) || (48...57).contains($0) }
        guard isValid else {
            throw CommandError(
                .badValue,
                "Error parsing array filter :: caused by :: The top-level field name must be an alphanumeric string "
                    + "beginning with a lowercase letter, found '\(name)'")
        }
    }
}
