internal import BSON

/// Places on a plane as keys: the cells of a grid, in the order of a curve that visits each square whole before the
/// next one. A cell's number are the bits of its column and row in turn, from the top bit on.
struct PlaneGrid: Sendable, Equatable {
    let bits: Int
    let min: Double
    let max: Double

    /// - Parameter specification: of the index, as `createIndexes` has checked it.
    init(_ specification: RawDocument) {
        bits = Swift.min(Swift.max(Int(clamping: specification["bits"]?.number?.asInt64Truncated ?? 26), 1), 32)
        let (low, high) = (
            specification["min"]?.number?.asDouble ?? -180, specification["max"]?.number?.asDouble ?? 180
        )
        (min, max) = low < high && (high - low).isFinite ? (low, high) : (-180, 180)
    }

    func contains(_ position: GeoPosition) -> Bool {
        position.x >= min && position.x <= max && position.y >= min && position.y <= max
    }

    func number(of position: GeoPosition) -> UInt64 {
        (Self.spread(cell(position.x)) << 1 | Self.spread(cell(position.y))) << UInt64(64 - 2 * bits)
    }

    /// The column or row of a coordinate; the nearest one of a coordinate beside the grid.
    private func cell(_ coordinate: Double) -> UInt32 {
        let count = UInt64(1) << UInt64(bits)
        let place = (coordinate - min) / (max - min) * Double(count)
        guard place > 0 else { return 0 }
        return place < Double(count) ? UInt32(place) : UInt32(count - 1)
    }

    /// The bits of a number with gaps between.
    private static func spread(_ value: UInt32) -> UInt64 {
        var spread = UInt64(value)
        spread = (spread | spread << 16) & 0x0000_FFFF_0000_FFFF
        spread = (spread | spread << 8) & 0x00FF_00FF_00FF_00FF
        spread = (spread | spread << 4) & 0x0F0F_0F0F_0F0F_0F0F
        spread = (spread | spread << 2) & 0x3333_3333_3333_3333
        return (spread | spread << 1) & 0x5555_5555_5555_5555
    }
}

extension PlaneGrid {
    /// As many ranges as a box makes.
    static let rangesMax = 40

    /// A square of cells: its first column and row, and how many bits are left within it.
    private struct Square {
        let column: UInt64
        let row: UInt64
        let bits: Int
    }

    /// The ranges of numbers of the cells that meet a box, ascending, and perhaps of some more.
    func ranges(meeting box: FlatBox) -> [ClosedRange<UInt64>] {
        // A cell more on each side: rounding.
        let columns = widened(cell(box.low.x), cell(box.high.x))
        let rows = widened(cell(box.low.y), cell(box.high.y))
        var squares = [Square(column: 0, row: 0, bits: bits)]
        while squares.count <= Self.rangesMax / 4,
            squares.contains(where: { $0.bits > 0 && !isInside($0, columns, rows) })
        {
            squares = squares.flatMap { square in
                isInside(square, columns, rows) || square.bits == 0
                    ? [square] : quarters(of: square).filter { meets($0, columns, rows) }
            }
        }
        return Self.joined(squares.map(numbers))
    }

    private func widened(_ low: UInt32, _ high: UInt32) -> ClosedRange<UInt64> {
        let last = UInt64(1) << UInt64(bits) - 1
        return (low > 0 ? UInt64(low) - 1 : 0)...Swift.min(Swift.max(UInt64(high), UInt64(low)) + 1, last)
    }

    private func span(_ start: UInt64, _ square: Square) -> ClosedRange<UInt64> {
        start...start + (UInt64(1) << UInt64(square.bits) - 1)
    }

    private func isInside(_ square: Square, _ columns: ClosedRange<UInt64>, _ rows: ClosedRange<UInt64>) -> Bool {
        columns.clamped(to: span(square.column, square)) == span(square.column, square)
            && rows.clamped(to: span(square.row, square)) == span(square.row, square)
    }

    private func meets(_ square: Square, _ columns: ClosedRange<UInt64>, _ rows: ClosedRange<UInt64>) -> Bool {
        columns.overlaps(span(square.column, square)) && rows.overlaps(span(square.row, square))
    }

    private func quarters(of square: Square) -> [Square] {
        let half = UInt64(1) << UInt64(square.bits - 1)
        let parts: [(column: UInt64, row: UInt64)] = [(0, 0), (0, half), (half, 0), (half, half)]
        return parts.map { part in
            Square(column: square.column + part.column, row: square.row + part.row, bits: square.bits - 1)
        }
    }

    private func numbers(_ square: Square) -> ClosedRange<UInt64> {
        let shift = UInt64(64 - 2 * bits)
        let first =
            (Self.spread(UInt32(truncatingIfNeeded: square.column)) << 1
                | Self.spread(UInt32(truncatingIfNeeded: square.row))) << shift
        let free = UInt64(2 * square.bits) + shift
        return first...(free >= 64 ? UInt64.max : first | (UInt64(1) << free - 1))
    }

    private static func joined(_ ranges: [ClosedRange<UInt64>]) -> [ClosedRange<UInt64>] {
        var joined: [ClosedRange<UInt64>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = joined.last, last.upperBound != .max, last.upperBound + 1 >= range.lowerBound {
                joined[joined.count - 1] = last.lowerBound...Swift.max(last.upperBound, range.upperBound)
            } else {
                joined.append(range)
            }
        }
        return joined
    }
}
