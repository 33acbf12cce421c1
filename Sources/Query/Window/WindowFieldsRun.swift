internal import BSON
internal import CommandModel

/// `$setWindowFields` while it runs: sorts by partition and `sortBy` (to files when need be), then goes through the
/// partitions one after the other. One partition at a time is in memory, since a frame may reach as far as it goes.
final class WindowFieldsRun: StageRun {
    private let fields: WindowFields
    private let limits: StageLimits
    private let run: Evaluator
    private var arrivals: SortedArrivals
    private var partition = WindowPartition()
    private var columns: [WindowColumn] = []
    /// The next document of the partition to give.
    private var position = 0

    init(_ fields: WindowFields, _ limits: StageLimits) {
        self.fields = fields
        self.limits = limits
        run = Evaluator(fields.settings)
        arrivals = SortedArrivals(limits)
    }

    var isBlocking: Bool { true }

    func process(_ input: Batch, from position: inout Int, into output: inout Batch) throws(CommandError) {
        try input.forEach(from: &position) { document throws(CommandError) in
            try arrivals.insert(document, key: try key(of: document))
            return true
        }
    }

    private func key(of document: RawDocument) throws(CommandError) -> [UInt8] {
        try PartitionedKey.make { key throws(CommandError) in
            guard let partitionBy = fields.partitionBy else { return }
            run.begin(document)
            let value = try partitionBy.evaluate(run) ?? .nothing(.null)
            guard value.type != .array else {
                throw CommandError(
                    .typeMismatch, "An expression used to partition cannot evaluate to value of type array")
            }
            key.append(value, collator: fields.collator)
        } place: { key throws(CommandError) in
            if !fields.sortBy.fields.isEmpty { key.bytes += try fields.sortBy.key(of: document) }
        }
    }

    func finish(into output: inout Batch) throws(CommandError) {
        while !output.isFull {
            if position == partition.count {
                guard try readPartition() else { return }
            }
            for column in columns { try column.move(to: position, in: partition, run) }
            try partition.rows[position].row.withRaw { document throws(CommandError) in write(document, into: &output) }
            position += 1
        }
    }

    private func readPartition() throws(CommandError) -> Bool {
        partition = WindowPartition()
        position = 0
        guard let first = try arrivals.next() else { return false }
        partition.append(first)
        while let next = try arrivals.peek(), next.partitionKey == first.partitionKey {
            try run.spend(16)
            partition.append(next)
            _ = try arrivals.next()
            guard partition.byteCount <= limits.memoryBytesMax else {
                throw CommandError(
                    .exceededMemoryLimit,
                    "Exceeded memory limit in $setWindowFields: a partition has more than "
                        + "\(limits.memoryBytesMax) bytes")
            }
        }
        if fields.needsPositions, let path = fields.positionPath { try partition.findPositions(path, run) }
        columns = fields.outputs.map { WindowColumn($0) }
        return true
    }

    private func write(_ document: RawDocument, into output: inout Batch) {
        guard columns.allSatisfy({ $0.path.count == 1 }) else { return writeNested(document, into: &output) }
        output.append { builder in
            for element in document {
                if let column = columns.first(where: { $0.path[0] == element.key }) {
                    column.result.withValue { builder.append(element.key, $0) }
                } else {
                    builder.append(element)
                }
            }
            for column in columns where document[column.path[0]] == nil {
                column.result.withValue { builder.append(column.path[0], $0) }
            }
        }
    }

    private func writeNested(_ document: RawDocument, into output: inout Batch) {
        var changed = Document(copying: document)
        for column in columns {
            changed = changed.withRaw { raw in
                column.result.withValue { value in
                    Document { $0.append(raw, setting: column.path, to: .some(value)) }
                }
            }
        }
        changed.withRaw { output.append($0) }
    }
}
