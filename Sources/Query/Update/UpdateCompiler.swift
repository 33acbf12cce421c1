internal import BSON
internal import CommandModel

/// Turns an update document of modifiers, which lies in the arena already, into trees of paths.
struct UpdateCompiler {
    let arena: ProgramArena
    let arrayFilters: [ArrayFilter]
    let collator: Collator?
    let patience: Patience?
    private var trees = ModifierTrees()
    private var usedFilters: Set<Int> = []

    init(arena: ProgramArena, arrayFilters: [ArrayFilter], collator: Collator?, patience: Patience?) {
        (self.collator, self.patience) = (collator, patience)
        self.arena = arena
        self.arrayFilters = arrayFilters
    }

    mutating func compile(_ update: RawDocument) throws(CommandError) -> ModifierTrees {
        for element in update {
            guard Self.names.contains(element.key.string) else { throw unknown(element.key) }
            guard let fields = element.value.document else { throw notAnObject(element) }
            for field in fields { try compile(element.key, field) }
        }
        for (index, filter) in arrayFilters.enumerated() where !usedFilters.contains(index) {
            throw CommandError(
                .failedToParse,
                "The array filter for identifier '\(filter.identifier)' was not used in the update \(update.errorText)")
        }
        trees.onUpdate.sort()
        trees.onInsert.sort()
        return trees
    }

    private static let names: Set<String> = [
        "$set", "$setOnInsert", "$unset", "$inc", "$mul", "$min", "$max", "$currentDate", "$bit", "$rename", "$push",
        "$addToSet", "$pop", "$pull", "$pullAll",
    ]

    private mutating func compile(_ name: RawKey, _ field: RawElement) throws(CommandError) {
        if name == "$rename" { return try compileRename(field) }
        let path = try steps(field.key)
        let modifier = try modifier(name, field)
        try insert(modifier, at: path, field.key, onUpdate: !(name == "$setOnInsert"))
    }

    private mutating func insert(
        _ modifier: Modifier, at path: [UpdateStep], _ key: RawKey, onUpdate: Bool
    ) throws(CommandError) {
        // The tree for inserts has all modifiers, so that it finds every conflict.
        if let depth = trees.onInsert.insert(modifier, at: path[...]) {
            let taken = key.components.prefix(depth).map(\.string).joined(separator: ".")
            throw CommandError(
                .conflictingUpdateOperators,
                "Updating the path '\(key.string)' would create a conflict at '\(taken)'")
        }
        if onUpdate { _ = trees.onUpdate.insert(modifier, at: path[...]) }
    }

    private mutating func compileRename(_ field: RawElement) throws(CommandError) {
        guard field.value.type == .string, let target = field.value.stringBytes, let start = target.baseAddress else {
            throw CommandError(
                .badValue,
                "The 'to' field for $rename must be a string: \(field.key.string): \(field.value.errorText)")
        }
        guard !target.contains(0) else {
            throw CommandError(ErrorCode(9_867_600), "The 'to' field for $rename cannot contain an embedded null byte")
        }
        let to = RawKey(start: start, count: target.count)
        guard !(to == field.key) else {
            throw CommandError(
                .badValue,
                "The source and target field for $rename must differ: \(field.key.string): \(field.value.errorText)")
        }
        for (key, end) in [(field.key, "source"), (to, "destination")] {
            let path = try steps(key)
            guard path.allSatisfy({ if case .field = $0 { true } else { false } }) else {
                throw CommandError(
                    .badValue, "The \(end) field for $rename may not be dynamic: \(key.string)")
            }
            try insert(end == "source" ? .moveAway : .moveHere(from: field.key), at: path, key, onUpdate: true)
        }
    }

    private func unknown(_ key: RawKey) -> CommandError {
        CommandError(
            .failedToParse,
            "Unknown modifier: \(key.string). Expected a valid update modifier or pipeline-style update specified as "
                + "an array")
    }

    private func notAnObject(_ element: RawElement) -> CommandError {
        CommandError(
            .failedToParse,
            "Modifiers operate on fields but we found type \(element.value.type.alias) instead. For example: {$mod: "
                + "{<field>: ...}} not {\(element.key.string): \(element.value.errorText)}")
    }
}

// Paths.
extension UpdateCompiler {
    private mutating func steps(_ key: RawKey) throws(CommandError) -> [UpdateStep] {
        let components = key.components
        guard components.count <= FilterCompiler.pathComponentsMax else {
            throw CommandError(.overflow, "field path has more than \(FilterCompiler.pathComponentsMax) components")
        }
        var steps: [UpdateStep] = []
        for component in components {
            let step = try step(component, key)
            if case .field = step {
                steps.append(step)
                continue
            }
            guard !steps.isEmpty else {
                throw CommandError(
                    .badValue,
                    "Cannot have positional (i.e. '$') element in the first position in path '\(key.string)'")
            }
            steps.append(step)
        }
        try checkPositional(steps, key)
        return steps
    }

    private mutating func checkPositional(_ steps: [UpdateStep], _ key: RawKey) throws(CommandError) {
        let count = steps.count { if case .positional = $0 { true } else { false } }
        guard count <= 1 else {
            throw CommandError(
                .badValue, "Too many positional (i.e. '$') elements found in path '\(key.string)'")
        }
        if count == 1 { trees.usesPositional = true }
    }

    private mutating func step(_ component: RawKey, _ path: RawKey) throws(CommandError) -> UpdateStep {
        guard component.count > 0 else {
            throw CommandError(
                .emptyFieldName,
                "The update path '\(path.string)' contains an empty field name, which is not allowed.")
        }
        guard component.startsWithDollar else { return .field(component, index: component.arrayIndex ?? -1) }
        if component == "$" { return .positional }
        if component == "$[]" { return .everyElement }
        let name = component.string
        if name.hasPrefix("$["), name.hasSuffix("]") { return try filtered(String(name.dropFirst(2).dropLast()), path) }
        return .field(component, index: -1)
    }

    private mutating func filtered(_ identifier: String, _ path: RawKey) throws(CommandError) -> UpdateStep {
        guard let index = arrayFilters.firstIndex(where: { $0.identifier == identifier }) else {
            throw CommandError(
                .badValue, "No array filter found for identifier '\(identifier)' in path '\(path.string)'")
        }
        usedFilters.insert(index)
        return .filtered(index)
    }
}
