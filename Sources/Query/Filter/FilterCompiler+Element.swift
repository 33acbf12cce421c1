package import BSON
internal import CommandModel

// $type, $mod, $bits…: conditions on what a value is rather than on how it compares.
extension FilterCompiler {
    func typeMask(_ value: RawValue) throws(CommandError) -> TypeMask {
        var mask = TypeMask()
        if let array = value.array {
            for element in array { try insertType(element.value, into: &mask) }
            guard mask.bits != 0 else {
                throw CommandError(.failedToParse, "$type must match at least one type")
            }
        } else {
            try insertType(value, into: &mask)
        }
        return mask
    }

    private func insertType(_ value: RawValue, into mask: inout TypeMask) throws(CommandError) {
        if let alias = value.string {
            let types = BSONType.named(alias)
            guard !types.isEmpty else { throw CommandError(.badValue, "Unknown type name alias: \(alias)") }
            for type in types { mask.insert(type) }
        } else if value.type.isNumber {
            mask.insert(try numberedType(value))
        } else {
            throw CommandError(.typeMismatch, "type must be represented as a number or a string")
        }
    }

    private func numberedType(_ value: RawValue) throws(CommandError) -> BSONType {
        switch value.number?.asInt64Exact {
        case -1: return .minKey
        case 127: return .maxKey
        case .some(let code) where (1...19).contains(code):
            if let type = BSONType(rawValue: UInt8(code)) { return type }
        default: break
        }
        throw CommandError(.badValue, "Invalid numerical type code: \(value.errorText)")
    }

    func modulo(_ value: RawValue) throws(CommandError) -> ValueTest {
        guard let array = value.array else { throw CommandError(.badValue, "malformed mod, needs to be an array") }
        let operands = array.map(\.value)
        guard operands.count >= 2 else { throw CommandError(.badValue, "malformed mod, not enough elements") }
        guard operands.count == 2 else { throw CommandError(.badValue, "malformed mod, too many elements") }
        let divisor = try moduloOperand("divisor", operands[0])
        guard divisor != 0 else { throw CommandError(.badValue, "divisor cannot be 0") }
        let remainder = try moduloOperand("remainder", operands[1])
        // Int64.min % -1 traps, and everything is divisible by 1 and -1 alike.
        return .modulo(divisor: divisor == -1 ? 1 : divisor, remainder: remainder)
    }

    private func moduloOperand(_ name: StaticString, _ value: RawValue) throws(CommandError) -> Int64 {
        guard value.type.isNumber else { throw CommandError(.badValue, "malformed mod, \(name) not a number") }
        guard let number = value.truncatedInt64 else {
            throw CommandError(
                .badValue, "malformed mod, \(name) value is invalid :: Out of bounds for a 64-bit integer")
        }
        return number
    }
}

// The four bit tests.
extension FilterCompiler {
    func bitTest(_ condition: BitTest.Condition, _ element: RawElement) throws(CommandError) -> BitTest {
        let value = element.value
        if let array = value.array { return try bitTest(condition, positions: array) }
        if let data = value.binary?.data { return bitTest(condition, bytes: data) }
        guard value.type.isNumber else {
            throw CommandError(
                .badValue,
                "\(element.key.string) takes an Array, a number, or a BinData but received: \(value.type.alias)")
        }
        guard let number = value.number?.asInt64Exact else {
            throw CommandError(.failedToParse, "Expected an integer: \(element.key.string)")
        }
        guard number >= 0 else {
            throw CommandError(.failedToParse, "Expected a non-negative number in: \(element.key.string): \(number)")
        }
        let bytes = arena.list(withUnsafeBytes(of: number.littleEndian, Array.init))
        return BitTest(
            condition: condition, operand: .bytes(UnsafeRawBufferPointer(bytes.nodes)), mask: UInt64(number))
    }

    private func bitTest(
        _ condition: BitTest.Condition, positions array: RawDocument
    ) throws(CommandError) -> BitTest {
        var positions: [UInt32] = []
        var mask: UInt64 = 0
        for element in array {
            guard element.value.type.isNumber, let number = element.value.number?.asInt64Exact else {
                throw CommandError(
                    .badValue, "Failed to parse bit position. Expected an integer: \(element.key.string)")
            }
            guard number >= 0, let position = Int32(exactly: number) else {
                throw CommandError(
                    .badValue, "Failed to parse bit position. Expected a non-negative 32-bit number, got: \(number)")
            }
            positions.append(UInt32(position))
            mask |= 1 << UInt64(Swift.min(position, 63))
        }
        return BitTest(condition: condition, operand: .positions(arena.list(positions)), mask: mask)
    }

    private func bitTest(_ condition: BitTest.Condition, bytes: UnsafeRawBufferPointer) -> BitTest {
        var mask: UInt64 = 0
        for (index, byte) in bytes.enumerated() where byte != 0 {
            mask |= index < 8 ? UInt64(byte) << UInt64(index * 8) : 1 << 63
        }
        return BitTest(condition: condition, operand: .bytes(bytes), mask: mask)
    }
}

extension BSONType {
    /// The types that an alias of `$type` names; none for an unknown one.
    package static func named(_ alias: String) -> [BSONType] {
        if alias == "number" { return [.double, .int32, .int64, .decimal128] }
        let all = (UInt8(1)...19).compactMap(BSONType.init(rawValue:)) + [.minKey, .maxKey]
        return all.filter { "\($0.alias)" == alias }
    }
}
