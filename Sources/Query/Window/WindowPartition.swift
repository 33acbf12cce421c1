internal import BSON
internal import CommandModel

/// The documents of one partition, in their order.
struct WindowPartition {
    /// What the one field of `sortBy` holds.
    enum Position {
        case number(Number)
        case date(Int64)
        case other
    }

    private(set) var rows: [Sorter.Entry] = []
    private(set) var byteCount = 0
    /// Only where a function asks for them.
    private var positions: [Position] = []

    var count: Int { rows.count }

    mutating func append(_ row: Sorter.Entry) {
        rows.append(row)
        byteCount += row.key.count + row.row.count + 64
    }

    /// Whether two documents are equal in the order.
    func arePeers(_ first: Int, _ second: Int) -> Bool { rows[first].key == rows[second].key }

    /// Turns an evaluator to a document, while `body` runs.
    func visit<R>(
        _ index: Int, _ run: Evaluator, _ body: () throws(CommandError) -> R
    ) throws(CommandError) -> R {
        try run.spend(8)
        return try rows[index].row.withRaw { document throws(CommandError) in
            run.begin(document)
            return try body()
        }
    }

    func position(_ index: Int) -> Position { index < positions.count ? positions[index] : .other }

    mutating func findPositions(_ path: Expression, _ run: Evaluator) throws(CommandError) {
        positions.reserveCapacity(rows.count)
        for index in rows.indices {
            let position = try visit(index, run) { () throws(CommandError) in
                Self.position(of: try path.evaluate(run))
            }
            positions.append(position)
        }
    }

    private static func position(of value: RawValue?) -> Position {
        if let number = value?.number { return .number(number) }
        if let date = value?.date { return .date(date) }
        return .other
    }
}

/// The documents in a frame, which moves on with the document whose frame it is: neither end ever goes back.
struct WindowCursor {
    private let frame: WindowFrame
    private var lower = 0
    private var upper = 0

    init(_ frame: WindowFrame) {
        self.frame = frame
    }

    /// The frame of a document, which is the first or the one behind that of the last call.
    mutating func move(to index: Int, in partition: WindowPartition) throws(CommandError) -> Range<Int> {
        switch frame {
        case .documents(let first, let last):
            lower = first.map { min(max(index + $0, 0), partition.count) } ?? 0
            upper = last.map { min(max(index + $0 + 1, 0), partition.count) } ?? partition.count
        case .peers(let fromStart, let toEnd):
            while !fromStart, !partition.arePeers(lower, index) { lower += 1 }
            if toEnd { upper = partition.count }
            while upper < partition.count, upper <= index || partition.arePeers(upper, index) { upper += 1 }
        case .range(let first, let last): try moveRange(to: index, first, last, in: partition)
        case .time(let first, let last, let unit): try moveTime(to: index, first, last, unit, in: partition)
        }
        return lower..<max(lower, upper)
    }

    private mutating func moveRange(
        to index: Int, _ first: Number?, _ last: Number?, in partition: WindowPartition
    ) throws(CommandError) {
        guard case .number(let center) = partition.position(index) else {
            throw CommandError(ErrorCode(5_429_414), "Invalid range: Expected the sortBy field to be a number")
        }
        if let first {
            let start = center.sum(first)
            while lower < partition.count, case .number(let number) = partition.position(lower),
                number.compare(to: start) < 0
            { lower += 1 }
        }
        guard let last else { return upper = partition.count }
        let end = center.sum(last)
        while upper < partition.count, case .number(let number) = partition.position(upper),
            number.compare(to: end) <= 0
        { upper += 1 }
    }

    private mutating func moveTime(
        to index: Int, _ first: Int64?, _ last: Int64?, _ unit: DateUnit, in partition: WindowPartition
    ) throws(CommandError) {
        guard case .date(let center) = partition.position(index) else {
            throw CommandError(ErrorCode(5_429_513), "Invalid range: Expected the sortBy field to be a Date")
        }
        if let first {
            let start = unit.bound(first, from: center)
            while lower < partition.count, case .date(let date) = partition.position(lower), date < start {
                lower += 1
            }
        }
        guard let last else { return upper = partition.count }
        let end = unit.bound(last, from: center)
        while upper < partition.count, case .date(let date) = partition.position(upper), date <= end { upper += 1 }
    }
}

extension DateUnit {
    /// The date so many units away, or the last one there is.
    fileprivate func bound(_ amount: Int64, from date: Int64) -> Int64 {
        let limit: Int64 = amount < 0 ? .min : .max
        guard abs(Double(amount)) <= Double(amountMax) else { return limit }
        return add(amount, to: date, in: .utc) ?? limit
    }
}

extension Number {
    /// A double where an integer is too small.
    func sum(_ other: Number) -> Number { adding(other) ?? .double(asDouble + other.asDouble) }

    func difference(_ other: Number) -> Number { subtracting(other) ?? .double(asDouble - other.asDouble) }

    func product(_ other: Number) -> Number { multiplied(by: other) ?? .double(asDouble * other.asDouble) }

    /// A decimal where one of both is, otherwise a double.
    func quotient(_ other: Number) -> Number {
        if isDecimal || other.isDecimal { return .decimal(asDecimal.divided(by: other.asDecimal)) }
        return .double(asDouble / other.asDouble)
    }
}
