internal import BSON
internal import CommandModel

/// `$sort`, and `$sample`, which sorts by chance.
final class SortRun: StageRun {
    enum Order {
        case pattern(SortPattern)
        case random
    }

    private let order: Order
    private var arrivals: SortedArrivals

    /// - Parameter limit: how many documents come out; nil for all.
    init(_ order: Order, limit: Int?, _ limits: StageLimits) {
        self.order = order
        arrivals = SortedArrivals(limit: limit, limits)
    }

    var isBlocking: Bool { true }

    func process(_ input: Batch, from position: inout Int, into output: inout Batch) throws(CommandError) {
        try input.forEach(from: &position) { document throws(CommandError) in
            try arrivals.insert(document, key: try key(of: document))
            return true
        }
    }

    private func key(of document: RawDocument) throws(CommandError) -> [UInt8] {
        switch order {
        case .pattern(let pattern): return try pattern.key(of: document)
        case .random:
            let number = UInt64.random(in: .min ... .max)
            return withUnsafeBytes(of: number) { Array($0) }
        }
    }

    func finish(into output: inout Batch) throws(CommandError) {
        while !output.isFull, let next = try arrivals.next() {
            next.row.withRaw { output.append($0) }
        }
    }
}

extension PipelineCompiler {
    func sort(_ value: RawValue) throws(CommandError) -> SortPattern {
        guard let pattern = value.document else {
            throw CommandError(ErrorCode(15973), "the $sort key specification must be an object")
        }
        guard !pattern.isEmpty else {
            throw CommandError(ErrorCode(15976), "$sort stage must have at least one sort key")
        }
        guard pattern["$natural"] == nil else {
            throw CommandError(
                ErrorCode(16410), "FieldPath field names may not start with '$'. Consider using $getField or $setField."
            )
        }
        return try SortPattern(
            compiling: pattern, collator: environment.collator, hasTextScore: environment.textScore == .carried)
    }

    /// `$sample: {size: n}`.
    func sample(_ value: RawValue) throws(CommandError) -> Int64 {
        guard let specification = value.document else {
            throw CommandError(ErrorCode(28745), "the $sample stage specification must be an object")
        }
        var size: Int64?
        for field in specification {
            guard field.key == "size" else {
                throw CommandError(ErrorCode(28748), "unrecognized option to $sample: \(field.key.string)")
            }
            guard let number = field.value.number else {
                throw CommandError(ErrorCode(28746), "size argument to $sample must be a number")
            }
            size = number.saturatingInt64
        }
        guard let size else { throw CommandError(ErrorCode(28749), "$sample stage must specify a size") }
        guard size > 0 else {
            throw CommandError(ErrorCode(28747), "size argument to $sample must be a positive integer")
        }
        return size
    }
}
