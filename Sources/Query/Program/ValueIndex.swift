internal import BSON
internal import CommandModel

/// Answers whether a value equals one of many. A few are compared one by one; more are looked up by their key, so that
/// a large operand against a large array does not take the product of both.
struct ValueIndex {
    private static let comparedMax = 16

    private let order: ValueOrder
    private var values: [RawValue] = []
    private var keys: Set<[UInt8]> = []

    init(_ values: [RawValue], _ order: ValueOrder, _ meter: inout WorkMeter) throws(CommandError) {
        self.order = order
        for value in values {
            try meter.spend(WorkMeter.units(forBytes: 16 * value.count))
            insert(value)
        }
    }

    mutating func insert(_ value: RawValue) {
        if values.count < Self.comparedMax {
            values.append(value)
        } else {
            keys.insert(order.key(of: value))
        }
    }

    func contains(_ value: RawValue) -> Bool {
        values.contains { order.areEqual($0, value) } || !keys.isEmpty && keys.contains(order.key(of: value))
    }
}
