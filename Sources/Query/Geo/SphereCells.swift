internal import CS2

/// Places on the sphere as keys: cells of S2.
///
/// S2 divides the sphere into the six faces of a cube, each of them into four cells, and so on for 30 levels, down to a
/// centimetre. A cell's number has those of the cells within it around it: from ``first`` to ``last``. A stored point
/// is the smallest cell around it, another geometry some cells that cover it. What meets a region then has a cell
/// within one of those that cover the region, or around it: the first are a range of numbers, the second a few single
/// ones.
struct SphereCell: Sendable, Hashable {
    let number: UInt64

    /// About as many as cover a geometry.
    static let coveringMax = 20
    /// The finest cells of a covering, about a meter wide: MongoDB's default, as is the coarsest, a face.
    static let finestLevel: Int32 = 23
    /// Around what a query asks for: rounding, in the question whether a point is on a border, and a point's own cell.
    fileprivate static let margin = 1e-7
    private static let capacity = 256

    private var leastBit: UInt64 { number & (~number &+ 1) }

    var first: UInt64 { number &- (leastBit &- 1) }
    var last: UInt64 { number &+ (leastBit &- 1) }

    /// The next larger cell; nil for a face.
    var parent: SphereCell? {
        let bit = leastBit << 2
        guard bit != 0, bit <= 1 << 60 else { return nil }
        return SphereCell(number: number & (~bit &+ 1) | bit)
    }

    static func around(_ position: GeoPosition) -> SphereCell {
        SphereCell(number: cs2_point_cell(position.x, position.y))
    }

    fileprivate static func written(by body: (UnsafeMutablePointer<UInt64>?, Int) -> Int) -> [SphereCell] {
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: capacity) { buffer in
            buffer.initialize(repeating: 0)
            let count = body(buffer.baseAddress, buffer.count)
            return buffer.prefix(count).map(SphereCell.init)
        }
    }

    /// The ranges of numbers in which cells lie that have something in common with one of `cells`.
    static func ranges(meeting cells: [SphereCell]) -> [ClosedRange<UInt64>] {
        var around: Set<SphereCell> = []
        for cell in cells {
            var parent = cell.parent
            while let larger = parent, around.insert(larger).inserted { parent = larger.parent }
        }
        return cells.map { $0.first...$0.last } + around.map { $0.number...$0.number }
    }
}

extension SphereShape {
    /// Cells that cover the shape, which is built.
    var covering: [SphereCell] { cells(margin: 0) }

    /// Cells that cover all that may be found to meet the shape.
    var queryCovering: [SphereCell] { cells(margin: SphereCell.margin) }

    private func cells(margin: Double) -> [SphereCell] {
        SphereCell.written { ids, capacity in
            cs2_shape_covering(shape, SphereCell.coveringMax, SphereCell.finestLevel, margin, ids, capacity)
        }
    }
}

extension SphereCircle {
    var queryCovering: [SphereCell] { SphereCell.covering(center, radius: radius) }
}

extension SphereCell {
    /// Cells that cover all up to a distance from a point, in radians.
    static func covering(_ center: GeoPosition, radius: Double) -> [SphereCell] {
        written { ids, capacity in
            cs2_circle_covering(center.x, center.y, radius + margin, coveringMax, finestLevel, ids, capacity)
        }
    }
}
