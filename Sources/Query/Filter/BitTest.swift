internal import BSON

/// `$bitsAllSet` and its three siblings.
struct BitTest {
    enum Condition {
        case allSet, anySet, allClear, anyClear

        var isAny: Bool { self == .anySet || self == .anyClear }

        @inline(__always)
        func holds<Bits: FixedWidthInteger & UnsignedInteger>(_ bits: Bits, _ mask: Bits) -> Bool {
            switch self {
            case .allSet: bits & mask == mask
            case .anySet: bits & mask != 0
            case .allClear: bits & mask == 0
            case .anyClear: bits & mask != mask
            }
        }
    }

    /// The operand as it lies in the filter: expanding a long bit string into positions, or a far position into a
    /// bit string, would let a small query take a lot of memory.
    enum Operand {
        case positions(ArenaList<UInt32>)
        case bytes(UnsafeRawBufferPointer)
    }

    let condition: Condition
    let operand: Operand
    /// The operand as it falls on a 64-bit number, where all positions from 63 on are the sign.
    let mask: UInt64

    func matches(_ value: RawValue) -> Bool {
        if let data = value.binary?.data { return matches(data) }
        guard value.type.isNumber, let number = value.number?.asInt64Exact else { return false }
        return condition.holds(UInt64(bitPattern: number), mask)
    }

    private func matches(_ data: UnsafeRawBufferPointer) -> Bool {
        // "All" is settled by the first part that fails, "any" by the first that holds.
        let isAny = condition.isAny
        switch operand {
        case .positions(let positions):
            for position in positions.nodes
            where condition.holds(byte(data, Int(position >> 3)), 1 << UInt8(position & 7)) == isAny {
                return isAny
            }
        case .bytes(let masks):
            for (index, mask) in masks.enumerated()
            where mask != 0 && condition.holds(byte(data, index), mask) == isAny {
                return isAny
            }
        }
        return !isAny
    }

    /// Beyond its end a bit string is zero.
    @inline(__always)
    private func byte(_ data: UnsafeRawBufferPointer, _ index: Int) -> UInt8 {
        index < data.count ? data[index] : 0
    }
}
