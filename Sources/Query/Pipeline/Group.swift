internal import BSON
internal import CommandModel

/// A compiled `$group`: `{_id: expression, field: {accumulator}, …}`.
///
// Safety: immutable after init; the pointers in it point into the arena it owns.
package final class Group: @unchecked Sendable {
    struct Field {
        let key: RawKey
        let accumulator: Accumulator
    }

    private let arena: ProgramArena
    let id: Expression
    let fields: ArenaList<Field>
    let settings: EvaluatorSettings
    /// Nil where documents are grouped as they come.
    let elements: Elements?

    init(
        arena: ProgramArena, id: Expression, fields: ArenaList<Field>, settings: EvaluatorSettings, elements: Elements
    ) {
        (self.arena, self.id, self.fields, self.settings) = (arena, id, fields, settings)
        self.elements = elements
    }

    init(compiling value: RawValue, in environment: ExpressionEnvironment) throws(CommandError) {
        guard let document = value.document else {
            throw CommandError(ErrorCode(15947), "a group's fields must be specified in an object")
        }
        let arena = ProgramArena()
        var compiler = ExpressionCompiler(arena: arena, environment: environment)
        var (id, fields): (Expression?, [Field]) = (nil, [])
        for field in arena.copy(document) {
            if field.key == "_id" {
                guard id == nil else {
                    throw CommandError(ErrorCode(15948), "a group's _id may only be specified once")
                }
                id = try compiler.compileGroupID(field.value)
            } else {
                fields.append(Field(key: field.key, accumulator: try compiler.compileAccumulator(field: field)))
            }
        }
        guard let id else { throw CommandError(ErrorCode(15955), "a group specification must include an _id") }
        self.arena = arena
        self.id = id
        self.fields = arena.list(fields)
        settings = compiler.settings
        elements = nil
    }
}

extension ExpressionCompiler {
    /// As an expression, but a document that is no operator must not look like an inclusion.
    fileprivate mutating func compileGroupID(_ value: RawValue) throws(CommandError) -> Expression {
        if let document = value.document, document.firstKey?.startsWithDollar == false {
            for element in document {
                guard !element.key.containsDot else {
                    throw CommandError(ErrorCode(16412), "FieldPath field names may not contain '.'.")
                }
                guard !element.value.type.isNumber, element.value.type != .bool else {
                    throw CommandError(
                        ErrorCode(17390), "$group does not support inclusion-style expressions: \(element.key.string)")
                }
            }
        }
        return try compile(value)
    }
}

/// `$group` while it runs: a hash table of groups, in the order in which they appear.
///
/// When the table has outgrown its memory, it takes no more groups: documents of groups that it does not know go to an
/// external sort by their group's key, and are grouped when they come back, a group at a time. So what was begun in
/// memory is finished there, and a state never has to be written to a file. Rejected: writing partial states and
/// merging them, as databases do whose states are fixed in size; those of `$push` are not.
final class GroupRun: StageRun {
    /// Of groups in memory: one accumulator is bounded, but a group may have many.
    private static let bytesMax = 4 * AccumulatorState.bytesMax

    private let group: Group
    private let run: Evaluator
    private let limits: StageLimits
    @exclusivity(unchecked) private var table = GroupTable()
    private var overflow: ExternalSorter?
    private var arrivals: Int64 = 0
    private var rest: SortedRecords?
    @exclusivity(unchecked) private var key = KeyEncoder()
    /// The next group of the table to give.
    private var position = 0

    init(_ group: Group, _ limits: StageLimits) {
        self.group = group
        self.limits = limits
        run = Evaluator(group.settings)
    }

    var isBlocking: Bool { true }

    func process(_ input: Batch, from position: inout Int, into output: inout Batch) throws(CommandError) {
        guard let elements = group.elements else {
            try input.forEach(from: &position) { document throws(CommandError) in
                run.begin(document)
                try add(document)
                return true
            }
            return
        }
        try input.forEach(from: &position) { document throws(CommandError) in
            try elements.unwind.forEachElement(of: document) { element throws(CommandError) in
                run.begin(document)
                run[variable: elements.slot] = element
                try add(document)
            }
            return true
        }
    }

    /// Adds the document at which the evaluator stands.
    private func add(_ document: RawDocument) throws(CommandError) {
        try run.spend()
        let id = try group.id.evaluate(run) ?? .nothing(.null)
        key.bytes.removeAll(keepingCapacity: true)
        key.append(id, collator: run.order.collator)
        var index = key.bytes.withUnsafeBytes { table.index(of: $0) }
        if index == nil {
            guard table.byteCount < limits.memoryBytesMax else { return try postpone(document) }
            index = try begin(id)
        }
        if let index { try accumulate(index) }
    }

    private func begin(_ id: RawValue) throws(CommandError) -> Int {
        let index = key.bytes.withUnsafeBytes { table.insert($0, id: id) }
        for field in group.fields.nodes { table.append(try field.accumulator.begin(group: id, run)) }
        return index
    }

    private func accumulate(_ index: Int) throws(CommandError) {
        guard table.byteCount < Self.bytesMax else {
            throw CommandError(
                .exceededMemoryLimit, "$group used more than \(Self.bytesMax) bytes for what cannot go to a file")
        }
        let first = index * group.fields.count
        for field in 0..<group.fields.count {
            try table.update(first + field) { state throws(CommandError) in
                try group.fields[field].accumulator.add(to: &state, run)
            }
        }
    }

    private func postpone(_ document: RawDocument) throws(CommandError) {
        if overflow == nil {
            guard let space = limits.spill else {
                throw CommandError(
                    .queryExceededMemoryLimitNoDiskUseAllowed,
                    "Exceeded memory limit for $group, but did not allow external sort (allowDiskUse)."
                )
            }
            overflow = ExternalSorter(
                limit: nil, bytesMax: limits.memoryBytesMax, space: space, patience: limits.patience)
        }
        arrivals += 1
        guard let elements = group.elements else {
            try overflow?.insert(key: key.bytes, rid: arrivals, row: document)
            return
        }
        let unwound = elements.unwind.document(document, with: run[variable: elements.slot])
        try unwound.withRaw { document throws(CommandError) in
            try overflow?.insert(key: key.bytes, rid: arrivals, row: document)
        }
    }

    /// Turns to a document that was postponed.
    private func resume(_ document: RawDocument) {
        run.begin(document)
        if let elements = group.elements {
            run[variable: elements.slot] = document.value(at: elements.unwind.path)
        }
    }

    // MARK: results

    func finish(into output: inout Batch) throws(CommandError) {
        while !output.isFull {
            if position < table.count {
                try write(position, into: &output)
                position += 1
            } else if try !groupPostponed() {
                return
            }
        }
    }

    /// Fills the table, which has been given, with the next group of those that came too late.
    private func groupPostponed() throws(CommandError) -> Bool {
        table = GroupTable()
        position = 0
        if rest == nil { rest = try overflow?.finish() }
        overflow = nil
        guard let first = try rest?.next() else { return false }
        key.bytes = first.key
        try first.row.withRaw { document throws(CommandError) in
            resume(document)
            let index = try begin(try group.id.evaluate(run) ?? .nothing(.null))
            try accumulate(index)
        }
        while let next = try rest?.peek(), next.key == first.key {
            try next.row.withRaw { document throws(CommandError) in
                try run.spend(bytes: document.bytes.count)
                resume(document)
                try accumulate(0)
            }
            _ = try rest?.next()
        }
        return true
    }

    private func write(_ index: Int, into output: inout Batch) throws(CommandError) {
        run.begin(.none)
        try output.append { builder throws(CommandError) in
            table.withID(index) { builder.append("_id", $0) }
            for field in 0..<group.fields.count {
                let value = try table.result(index * group.fields.count + field, run)
                guard let value else { continue }
                try Batch.check(builder.count + value.count)
                builder.append(group.fields[field].key, value)
            }
        }
    }
}
