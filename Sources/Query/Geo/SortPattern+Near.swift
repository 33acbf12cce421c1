internal import BSON

extension SortPattern {
    /// By the distance from the point of `$near`.
    package init(nearestFirst near: NearCondition) {
        self.init(order: .fields, fields: [])
        self.near = near
    }
}

extension NearCondition {
    /// The distance as bytes that compare like it; documents without a geometry come last.
    func key(of document: RawDocument) -> [UInt8] {
        Self.key(nearest(in: document)?.distance ?? .infinity)
    }

    static func key(_ distance: Double) -> [UInt8] {
        // Bits of doubles that are not negative are in the order of the doubles.
        withUnsafeBytes(of: distance.bitPattern.bigEndian, Array.init)
    }
}
