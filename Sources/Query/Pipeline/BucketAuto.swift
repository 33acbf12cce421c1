internal import BSON
internal import CommandModel

/// A compiled `$bucketAuto: {groupBy:, buckets:, output:, granularity:}`.
///
/// Source: https://www.mongodb.com/docs/manual/reference/operator/aggregation/bucketAuto/
//
// Safety: immutable after init; the pointers in it point into the arena it owns.
package final class BucketAuto: @unchecked Sendable {
    private let arena: ProgramArena
    let groupBy: Expression
    let bucketCount: Int64
    let granularity: Granularity?
    let fields: ArenaList<Group.Field>
    let settings: EvaluatorSettings
    let collator: Collator?

    init(compiling value: RawValue, in environment: ExpressionEnvironment, _ collator: Collator?) throws(CommandError) {
        guard let document = value.document else {
            throw CommandError(
                ErrorCode(40240), "The argument to $bucketAuto must be an object, but found type: \(value.type.alias)")
        }
        let arena = ProgramArena()
        let syntax = try Syntax(arena.copy(document))
        var compiler = ExpressionCompiler(arena: arena, environment: environment)
        guard let groupBy = syntax.groupBy, let bucketCount = syntax.bucketCount else {
            throw CommandError(ErrorCode(40246), "$bucketAuto requires 'groupBy' and 'buckets' to be specified")
        }
        self.groupBy = try compiler.compile(groupBy)
        self.bucketCount = bucketCount
        granularity = syntax.granularity
        var fields: [Group.Field] = []
        let counting = arena.copy(Document { $0.append("count", document: Document { $0.append("$sum", int32: 1) }) })
        for field in syntax.output ?? counting {
            guard !(field.key == "_id") else {
                throw CommandError(ErrorCode(15948), "a group's _id may only be specified once")
            }
            fields.append(Group.Field(key: field.key, accumulator: try compiler.compileAccumulator(field: field)))
        }
        self.fields = arena.list(fields)
        self.arena = arena
        self.collator = collator
        settings = compiler.settings
    }

    private struct Syntax {
        private(set) var groupBy: RawValue?
        private(set) var bucketCount: Int64?
        private(set) var output: RawDocument?
        private(set) var granularity: Granularity?

        init(_ document: RawDocument) throws(CommandError) {
            for field in document {
                switch field.key {
                case "groupBy":
                    groupBy = try field.bucketKey(of: "$bucketAuto", ErrorCode(40239))
                case "buckets": bucketCount = try Self.count(field.value)
                case "output":
                    let fields = try field.bucketOutput(of: "$bucketAuto", ErrorCode(40244))
                    output = fields.isEmpty ? nil : fields
                case "granularity": granularity = try Self.granularity(field.value)
                default:
                    throw CommandError(ErrorCode(40245), "Unrecognized option to $bucketAuto: \(field.key.string)")
                }
            }
        }

        private static func count(_ value: RawValue) throws(CommandError) -> Int64 {
            guard let number = value.number else {
                throw CommandError(
                    ErrorCode(40241),
                    "The $bucketAuto 'buckets' field must be a numeric value, but found type: "
                        + "\(value.type.alias)")
            }
            guard let count = number.asInt64Exact, Int32(exactly: count) != nil else {
                throw CommandError(
                    ErrorCode(40242), "The $bucketAuto 'buckets' field must be representable as a 32-bit integer")
            }
            guard count > 0 else {
                throw CommandError(
                    ErrorCode(40243), "The $bucketAuto 'buckets' field must be greater than 0, but found: \(count)")
            }
            return count
        }

        private static func granularity(_ value: RawValue) throws(CommandError) -> Granularity {
            guard value.type == .string, let name = value.string else {
                throw CommandError(
                    ErrorCode(40261),
                    "The $bucketAuto 'granularity' field must be a string, but found type: "
                        + "\(value.type.alias)")
            }
            guard let granularity = Granularity(name) else {
                throw CommandError(ErrorCode(40257), "Unknown rounding granularity '\(name)'")
            }
            return granularity
        }
    }
}

extension ProgramArena {
    fileprivate func copy(_ document: Document) -> RawDocument { document.withRaw { copy($0) } }
}

/// `$bucketAuto` while it runs: sorts everything by what it is grouped by, to know how many documents there are, and
/// then fills one bucket after the other.
final class BucketAutoRun: StageRun {
    private let stage: BucketAuto
    private let run: Evaluator
    private var arrivals: SortedArrivals
    private var bucketsGiven: Int64 = 0
    private var states: [AccumulatorState] = []
    /// The boundaries of the bucket being filled: of documents where there is no granularity.
    private var lower = KeptValue(.nothing(.null))
    private var upper = KeptValue(.nothing(.null))
    private var lowerBound: Double?
    private var upperBound = 0.0

    init(_ stage: BucketAuto, _ limits: StageLimits) {
        self.stage = stage
        run = Evaluator(stage.settings)
        arrivals = SortedArrivals(limits)
    }

    var isBlocking: Bool { true }

    func process(_ input: Batch, from position: inout Int, into output: inout Batch) throws(CommandError) {
        try input.forEach(from: &position) { document throws(CommandError) in
            run.begin(document)
            let value = try stage.groupBy.evaluate(run) ?? .nothing(.null)
            if stage.granularity != nil { try Self.checkNumber(value) }
            var key = KeyEncoder()
            key.append(value, collator: stage.collator)
            try arrivals.insert(document, key: key.bytes)
            return true
        }
    }

    private static func checkNumber(_ value: RawValue) throws(CommandError) {
        guard let number = value.number else {
            throw CommandError(
                ErrorCode(40258),
                "$bucketAuto can specify a 'granularity' with numeric boundaries only, but found a "
                    + "value with type: \(value.type.alias)")
        }
        guard !number.isNaN else {
            throw CommandError(
                ErrorCode(40259), "$bucketAuto can specify a 'granularity' with numeric boundaries only, but found NaN")
        }
        guard number.asDouble >= 0 else {
            throw CommandError(
                ErrorCode(40260),
                "$bucketAuto can specify a 'granularity' with non-negative numbers only, but found "
                    + "a negative number")
        }
    }

    func finish(into output: inout Batch) throws(CommandError) {
        while !output.isFull, let first = try arrivals.next() {
            try fill(from: first)
            bucketsGiven += 1
            try write(into: &output)
        }
    }

    /// How many documents a bucket has, before those that are equal to its last one.
    private var bucketSize: Int64 {
        // No more than there are documents, so in the range of Int64.
        max(Int64((Double(arrivals.count) / Double(stage.bucketCount)).rounded(.toNearestOrAwayFromZero)), 1)
    }

    private func fill(from first: Sorter.Entry) throws(CommandError) {
        states = []
        run.begin(.none)
        for field in stage.fields.nodes { states.append(try field.accumulator.begin(run)) }
        try add(first, isFirst: true)
        let isLast = bucketsGiven == stage.bucketCount - 1
        var (count, last) = (Int64(1), first)
        while let next = try arrivals.peek() {
            if !isLast, count >= bucketSize, try !belongs(next, with: last) { break }
            try add(next, isFirst: false)
            (count, last) = (count + 1, next)
            _ = try arrivals.next()
        }
        try close()
    }

    /// Whether a document that is one too many must be in the same bucket nevertheless.
    private func belongs(_ next: Sorter.Entry, with last: Sorter.Entry) throws(CommandError) -> Bool {
        if next.key == last.key { return true }
        guard let granularity = stage.granularity else { return false }
        let end = granularity.above(upper.double)
        return try value(of: next) { ($0.number?.asDouble ?? 0) < end }
    }

    private func value<R>(of entry: Sorter.Entry, _ body: (RawValue) -> R) throws(CommandError) -> R {
        try entry.row.withRaw { document throws(CommandError) in
            run.begin(document)
            return body(try stage.groupBy.evaluate(run) ?? .nothing(.null))
        }
    }

    private func add(_ entry: Sorter.Entry, isFirst: Bool) throws(CommandError) {
        try value(of: entry) { value in
            if isFirst { lower.set(value) }
            upper.set(value)
        }
        try run.spend(8)
        try entry.row.withRaw { document throws(CommandError) in
            run.begin(document)
            for index in 0..<stage.fields.count { try stage.fields[index].accumulator.add(to: &states[index], run) }
        }
    }

    /// Settles the boundaries: a bucket ends where the next one begins.
    private func close() throws(CommandError) {
        if let granularity = stage.granularity {
            lowerBound = bucketsGiven == 0 ? granularity.below(lower.double) : upperBound
            upperBound = granularity.above(upper.double)
        } else if let next = try arrivals.peek() {
            try value(of: next) { upper.set($0) }
        }
    }

    /// The powers of two are whole numbers where they can be.
    private func append(_ key: StaticString, _ bound: Double, to builder: inout DocumentBuilder) {
        if stage.granularity?.isBinary == true, let whole = Int64(exactly: bound) {
            builder.append(key, Number(narrowest: whole).value)
        } else {
            builder.append(key, double: bound)
        }
    }

    private func write(into output: inout Batch) throws(CommandError) {
        run.begin(.none)
        try output.append { builder throws(CommandError) in
            builder.beginDocument("_id")
            if let lowerBound {
                append("min", lowerBound, to: &builder)
                append("max", upperBound, to: &builder)
            } else {
                lower.withValue { builder.append("min", $0) }
                upper.withValue { builder.append("max", $0) }
            }
            builder.end()
            for index in 0..<stage.fields.count {
                builder.append(stage.fields[index].key, try states[index].result(run))
            }
        }
    }
}

extension KeptValue {
    fileprivate var double: Double { withValue { $0.number?.asDouble ?? 0 } }
}
