internal import BSON
internal import CommandModel

/// `$densify` while it runs: sorts by partition and field, then gives what there is and what is missing between.
final class DensifyRun: StageRun {
    /// As many documents as it may make up.
    ///
    /// Source: https://www.mongodb.com/docs/manual/reference/operator/aggregation/densify/
    private static let generatedMax = 500_000

    private let densify: Densify
    private var arrivals: SortedArrivals
    private var hasBegun = false
    private var generated = 0
    /// Of all documents.
    private var least: DensifyValue?
    private var greatest: DensifyValue?
    /// The partition being given: its key, its fields, where its steps begin, how many were made and the next one.
    private var partitionKey: ArraySlice<UInt8>?
    private var partitionFields = Document.empty
    private var start: DensifyValue?
    private var stepCount: Int64 = 0
    private var next: DensifyValue?

    init(_ densify: Densify, _ limits: StageLimits) {
        self.densify = densify
        arrivals = SortedArrivals(limits)
    }

    var isBlocking: Bool { true }

    func process(_ input: Batch, from position: inout Int, into output: inout Batch) throws(CommandError) {
        try input.forEach(from: &position) { document throws(CommandError) in
            if let value = try value(of: document) {
                if least.map({ value.compare(to: $0) < 0 }) ?? true { least = value }
                if greatest.map({ value.compare(to: $0) > 0 }) ?? true { greatest = value }
            }
            try arrivals.insert(document, key: try key(of: document))
            return true
        }
    }

    private func key(of document: RawDocument) throws(CommandError) -> [UInt8] {
        try PartitionedKey.make { key in
            for path in densify.partition {
                key.append(document.value(at: path) ?? .nothing(.null), collator: densify.collator)
            }
        } place: { key in
            key.append(document.value(at: densify.field) ?? .nothing(.null))
        }
    }

    /// Nil where there is none.
    private func value(of document: RawDocument) throws(CommandError) -> DensifyValue? {
        guard let value = document.value(at: densify.field), !value.isNullish else { return nil }
        guard let position = DensifyValue(value, densify.unit) else {
            guard value.number != nil || value.date != nil else {
                throw CommandError(
                    ErrorCode(5_733_201),
                    "Densify field type must be numeric or a date, but found "
                        + "\(value.type.alias)")
            }
            throw CommandError(
                ErrorCode(densify.unit == nil ? 6_053_600 : 6_053_601),
                densify.unit == nil
                    ? "Encountered non-numeric value in collection while step has no date unit"
                    : "Encountered non-date value in collection while step has a date unit")
        }
        return position
    }

    func finish(into output: inout Batch) throws(CommandError) {
        if !hasBegun { begin() }
        while !output.isFull {
            guard let row = try arrivals.peek() else {
                guard try generateRest(into: &output) else { return }
                continue
            }
            if row.partitionKey != partitionKey {
                guard try !generateRest(into: &output) else { continue }
                beginPartition(row)
            }
            guard try !generate(before: row, into: &output) else { continue }
            row.row.withRaw { output.append($0) }
            _ = try arrivals.next()
        }
    }

    private func begin() {
        hasBegun = true
        // A range that is given is filled even where there is nothing, but for partitions, of which there are none.
        guard arrivals.count == 0, densify.partition.isEmpty, case .explicit(let lower, _) = densify.bounds else {
            return
        }
        begin(at: lower)
    }

    private func begin(at value: DensifyValue?) { (start, stepCount, next) = (value, 0, value) }

    private func beginPartition(_ row: Sorter.Entry) {
        partitionKey = row.partitionKey
        partitionFields = fields(of: row)
        switch densify.bounds {
        case .full: begin(at: least)
        case .partition: begin(at: nil)
        case .explicit(let lower, _): begin(at: lower)
        }
    }

    /// What the documents made for a partition share with `row`.
    private func fields(of row: Sorter.Entry) -> Document {
        row.row.withRaw { document in
            var fields = Document.empty
            for path in densify.partition {
                guard let value = document.value(at: path) else { continue }
                fields = fields.withRaw { fields in
                    Document { $0.append(fields, setting: path, to: .some(value)) }
                }
            }
            return fields
        }
    }

    /// - Returns: whether a document was made.
    private func generate(before row: Sorter.Entry, into output: inout Batch) throws(CommandError) -> Bool {
        guard let value = try row.row.withRaw({ document throws(CommandError) in try value(of: document) })
        else { return false }
        if start == nil { begin(at: value) }
        guard let next, isInRange(next) else { return false }
        let order = next.compare(to: value)
        if order < 0 {
            // By a collation the documents of a partition may differ: what is missing is made like the one behind it.
            if densify.collator != nil { partitionFields = fields(of: row) }
            try generate(next, into: &output)
            return true
        }
        if order == 0 { advance() }
        return false
    }

    /// What is missing behind the last document of a partition.
    private func generateRest(into output: inout Batch) throws(CommandError) -> Bool {
        if case .partition = densify.bounds { return false }
        guard let next, isInRange(next) else { return false }
        try generate(next, into: &output)
        return true
    }

    private func isInRange(_ value: DensifyValue) -> Bool {
        switch densify.bounds {
        case .full: greatest.map { value.compare(to: $0) <= 0 } ?? false
        case .partition: true
        case .explicit(_, let upper): value.compare(to: upper) < 0
        }
    }

    private func advance() {
        stepCount += 1
        switch (next, start) {
        case (.number(let number)?, _): next = .number(number.sum(densify.step))
        case (.date?, .date(let first)?): next = date(after: first).map { .date($0) }
        default: next = nil
        }
    }

    /// Counted from the beginning: the months' ends then are.
    private func date(after first: Int64) -> Int64? {
        let (amount, overflow) = stepCount.multipliedReportingOverflow(by: densify.step.asInt64Exact ?? 0)
        guard !overflow, let unit = densify.unit, amount <= unit.amountMax else { return nil }
        return unit.add(amount, to: first, in: .utc)
    }

    private func generate(_ value: DensifyValue, into output: inout Batch) throws(CommandError) {
        generated += 1
        guard generated <= Self.generatedMax else {
            throw CommandError(
                ErrorCode(5_897_900),
                "Generated \(generated) documents in $densify, which is over the limit of "
                    + "\(Self.generatedMax)")
        }
        partitionFields.withRaw { fields in
            value.value.withRaw { value in
                output.append { $0.append(fields, setting: densify.field, to: .some(value)) }
            }
        }
        advance()
    }
}
