package import BSON
package import CommandModel

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// A compiled update: what becomes of a document.
///
/// Compiled once per statement; applying it rewrites a document in one pass, copying what it does not touch as runs of
/// bytes.
package struct UpdateProgram: Sendable {
    let plan: UpdatePlan

    /// - Parameters:
    ///   - update: a document (modifiers or a replacement) or an array (a pipeline).
    ///   - multi: whether the statement may touch many documents, which a replacement may not.
    ///   - keepsEmptyTimestamps: whether a Timestamp(0, 0) at the top level of a replacement stays; else it stands for
    ///     "now", as in an inserted document. Modifiers set it as it is.
    ///   - constants: of a pipeline: values that it names as variables.
    ///   - environment: how strings compare, in `$pull` and `$min` for example; for the expressions of a pipeline.
    ///   - time: what `$currentDate` sets.
    package init(
        compiling update: Value, arrayFilters: [Document] = [], multi: Bool = false, isUpsert: Bool = false,
        keepsEmptyTimestamps: Bool = false, constants: Document? = nil, environment: ExpressionEnvironment = .none,
        time: UpdateTime = .now()
    ) throws(CommandError) {
        plan = try update.withRaw { raw throws(CommandError) in
            try UpdatePlan(
                raw, arrayFilters: arrayFilters, multi: multi, keepsEmptyTimestamps: keepsEmptyTimestamps,
                constants: constants, environment: environment, time: time)
        }
    }

    /// Makes another version of one known.
    package init(applying delta: DocumentDelta) { plan = UpdatePlan(applying: delta) }

    /// True when the update replaces whole documents.
    package var isReplacement: Bool {
        if case .replacement = plan.action { true } else { false }
    }

    /// The document after the update, or nil when modifiers change not a byte of it. A replacement always counts as a
    /// change.
    ///
    /// - Parameter filter: the statement's filter, whose match decides what the positional `$` stands for.
    package func apply(to document: RawDocument, filter: Filter) throws(CommandError) -> Document? {
        defer { withExtendedLifetime(plan) {} }
        let result =
            switch plan.action {
            case .replacement(let replacement): try Self.replace(document, by: replacement)
            case .modifiers(let modifiers): try Self.modify(document, by: modifiers, plan, filter)
            case .pipeline(let pipeline): try Self.transform(document, by: pipeline)
            case .delta(let delta): try delta.apply(to: document)
            }
        guard let result else { return nil }
        try result.withRaw { raw throws(CommandError) in try Self.checkResult(raw, of: document) }
        return !isReplacement && result.hasSameBytes(as: document) ? nil : result
    }

    /// The document that an upsert inserts when nothing matches: the filter's equalities, then the update.
    ///
    /// - Parameter newID: used when neither gives an `_id`.
    package func insertedDocument(filter: Filter, newID: ObjectID) throws(CommandError) -> Document {
        defer { withExtendedLifetime(plan) {} }
        let document =
            switch plan.action {
            case .replacement(let replacement): try Self.inserted(replacement, filter)
            case .modifiers(let modifiers): try Self.inserted(modifiers, plan, filter)
            case .pipeline(let pipeline): try Self.inserted(pipeline, plan, filter)
            case .delta: throw DocumentDelta.malformed("there is no document to apply it to")
            }
        let complete = document.withRaw { $0.withIDFirst(else: newID) }
        try complete.withRaw { raw throws(CommandError) in
            try Self.checkSize(raw)
            try Self.checkID(raw)
        }
        return complete
    }
}

/// The moment an update happens at, one for all documents of a statement.
package struct UpdateTime: Sendable {
    /// Since 1970 UTC.
    package let milliseconds: Int64

    package init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    package static func now() -> UpdateTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UpdateTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// Seconds in the high, an increment of one in the low half.
    var timestamp: UInt64 { UInt64(bitPattern: milliseconds / 1000) << 32 | 1 }
}

// Updating what exists.
extension UpdateProgram {
    /// A replacement keeps the `_id`, which stays in front.
    private static func replace(_ document: RawDocument, by replacement: RawDocument) throws(CommandError) -> Document {
        guard let id = document["_id"] else { return Document(copying: replacement) }
        if let newID = replacement["_id"], newID.compare(to: id) != 0 {
            throw CommandError(
                .immutableField,
                "After applying the update, the (immutable) field '_id' was found to have been altered to "
                    + "_id: \(newID.errorText)")
        }
        return replacement.withIDFirst(replacement["_id"] ?? id)
    }

    private static func modify(
        _ document: RawDocument, by modifiers: ModifierTrees, _ plan: UpdatePlan, _ filter: Filter
    ) throws(CommandError) -> Document? {
        guard !modifiers.onUpdate.children.isEmpty else { return nil }
        let arena = ProgramArena()
        let tree = try modifiers.resolved(modifiers.onUpdate, arena) { () throws(CommandError) in
            guard case .yes(let index?) = try filter.match(document) else {
                throw CommandError(
                    .badValue, "The positional operator did not find the match needed from the query.")
            }
            return index
        }
        defer { withExtendedLifetime(arena) {} }
        var run = UpdateRun(plan: plan, original: document, isInsert: false)
        return try run.rewrite(document, by: tree)
    }

    /// What a pipeline yields keeps the `_id`, also when a stage leaves it out.
    private static func transform(
        _ document: RawDocument, by pipeline: UpdatePipeline
    ) throws(CommandError) -> Document {
        let result = try pipeline.apply(to: document)
        guard let id = document["_id"] else { return result }
        return try result.withRaw { raw throws(CommandError) in
            if let newID = raw["_id"] {
                guard newID.compare(to: id) == 0 else { throw immutableID() }
                return result
            }
            return raw.withIDFirst(id)
        }
    }

    private static func checkResult(_ result: RawDocument, of original: RawDocument) throws(CommandError) {
        try checkSize(result)
        guard let id = original["_id"] else { return }
        guard let newID = result["_id"], newID.compare(to: id) == 0 else {
            throw CommandError(
                .immutableField, "Performing an update on the path '_id' would modify the immutable field '_id'")
        }
    }

    private static func checkSize(_ document: RawDocument) throws(CommandError) {
        guard document.bytes.count <= documentBytesMax else { throw tooLarge }
        guard !document.isTooDeepToStore else {
            throw CommandError(
                .overflow, "the document after the update nests deeper than \(RawDocument.storedDepthMax) levels")
        }
    }

    /// MongoDB's limit on a stored document.
    static let documentBytesMax = 16 * 1024 * 1024

    static let tooLarge = CommandError(
        ErrorCode(17419), "Resulting document after update is larger than \(documentBytesMax)")
}

// Upserts.
extension UpdateProgram {
    private static func inserted(_ replacement: RawDocument, _ filter: Filter) throws(CommandError) -> Document {
        try filter.withEqualities { equalities throws(CommandError) in
            guard let id = equalities.first(where: { $0.path == "_id" })?.value else {
                return Document(copying: replacement)
            }
            if let newID = replacement["_id"], newID.compare(to: id) != 0 { throw alteredID(newID) }
            return replacement.withIDFirst(replacement["_id"] ?? id)
        }
    }

    private static func inserted(
        _ modifiers: ModifierTrees, _ plan: UpdatePlan, _ filter: Filter
    ) throws(CommandError) -> Document {
        let start = try filter.withEqualities { equalities throws(CommandError) in
            try document(from: equalities, plan)
        }
        return try start.withRaw { raw throws(CommandError) in
            let arena = ProgramArena()
            let tree = try modifiers.resolved(modifiers.onInsert, arena) { () throws(CommandError) in
                throw CommandError(
                    .badValue, "The positional operator did not find the match needed from the query.")
            }
            defer { withExtendedLifetime(arena) {} }
            var run = UpdateRun(plan: plan, original: raw, isInsert: true)
            let result = try run.rewrite(raw, by: tree)
            if let id = raw["_id"] {
                let isKept = result.withRaw { $0["_id"].map { $0.compare(to: id) == 0 } ?? false }
                if !isKept { throw immutableID() }
            }
            return result
        }
    }

    private static func inserted(
        _ pipeline: UpdatePipeline, _ plan: UpdatePlan, _ filter: Filter
    ) throws(CommandError) -> Document {
        let start = try filter.withEqualities { equalities throws(CommandError) in
            try document(from: equalities, plan)
        }
        return try start.withRaw { raw throws(CommandError) in try transform(raw, by: pipeline) }
    }

    private static func document(
        from equalities: [PathEquality], _ plan: UpdatePlan
    ) throws(CommandError) -> Document {
        var tree = UpdateNode()
        for equality in equalities {
            let steps = equality.path.components.map { UpdateStep.field($0, index: $0.arrayIndex ?? -1) }
            guard tree.insert(.set(equality.value), at: steps[...]) == nil else {
                throw CommandError(
                    .notSingleValueField,
                    "cannot infer query fields to set, path '\(equality.path.string)' is matched twice")
            }
        }
        tree.sort()
        return try Document.empty.withRaw { raw throws(CommandError) in
            var run = UpdateRun(plan: plan, original: raw, isInsert: true)
            return try run.rewrite(raw, by: tree)
        }
    }

    private static func alteredID(_ id: RawValue) -> CommandError {
        CommandError(
            .immutableField,
            "After applying the update, the (immutable) field '_id' was found to have been altered to "
                + "_id: \(id.errorText)"
        )
    }

    private static func immutableID() -> CommandError {
        CommandError(.immutableField, "Performing an update on the path '_id' would modify the immutable field '_id'")
    }

    private static func checkID(_ document: RawDocument) throws(CommandError) {
        guard let id = document["_id"] else { return }
        switch id.type {
        case .array, .regex, .undefined:
            throw CommandError(.invalidIDField, "The '_id' value cannot be of type \(id.type.alias)")
        default: return
        }
    }
}

extension Document {
    func hasSameBytes(as other: RawDocument) -> Bool {
        withRaw { $0.bytes.count == other.bytes.count && $0.bytes.elementsEqual(other.bytes) }
    }
}

extension RawDocument {
    /// The document with this `_id` as its first field.
    func withIDFirst(_ id: RawValue) -> Document {
        Document { builder in
            builder.append("_id", id)
            for element in self where !(element.key == "_id") { builder.append(element) }
        }
    }

    func withIDFirst(else newID: ObjectID) -> Document {
        if let id = self["_id"] {
            return firstKey.map { $0 == "_id" } == true ? Document(copying: self) : withIDFirst(id)
        }
        return Value.objectID(newID).withRaw { withIDFirst($0) }
    }
}
