internal import BSON
internal import CommandModel

/// What a value is, and how large: `$binarySize $bsonSize $isNumber $toHashedIndexKey $type`.
enum TypeOperator {
    case binarySize, documentSize, hashedKey, isNumber, name

    static let rules: [OperatorRule] = [
        .exactly(1, "$binarySize", .type(.binarySize)), .exactly(1, "$bsonSize", .type(.documentSize)),
        .exactly(1, "$isNumber", .type(.isNumber)), .exactly(1, "$toHashedIndexKey", .type(.hashedKey)),
        .exactly(1, "$type", .type(.name)),
    ]

    func evaluate(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        let value = try operands[0].evaluate(run)
        if case .hashedKey = self { try run.spend(bytes: value?.count ?? 0) }
        switch self {
        case .binarySize: return try Self.binarySize(value, run)
        case .documentSize: return try Self.documentSize(value, run)
        case .hashedKey: return try run.scratch.int64(HashedIndexKey.of(value))
        case .isNumber: return try run.bool(value?.type.isNumber ?? false)
        case .name: return try run.scratch.string(value?.type.alias ?? "missing")
        }
    }

    private static func binarySize(_ value: RawValue?, _ run: Evaluator) throws(CommandError) -> RawValue? {
        if value.isNullish { return .nothing(.null) }
        switch value?.type {
        case .string?: return try run.size(value?.stringBytes?.count ?? 0)
        case .binary?: return try run.size(value?.binary?.data.count ?? 0)
        default:
            throw CommandError(
                ErrorCode(51276), "$binarySize requires a string or BinData argument, found: \(value.typeName)")
        }
    }

    private static func documentSize(_ value: RawValue?, _ run: Evaluator) throws(CommandError) -> RawValue? {
        if value.isNullish { return .nothing(.null) }
        guard let document = value?.document else {
            throw CommandError(
                ErrorCode(31393), "$bsonSize requires a document input, found: \(value.typeName)")
        }
        return try run.size(document.bytes.count)
    }
}

extension Evaluator {
    fileprivate func size(_ count: Int) throws(CommandError) -> RawValue {
        try scratch.int32(Int32(truncatingIfNeeded: count))
    }
}

extension Scratch {
    func string(_ text: StaticString) throws(CommandError) -> RawValue {
        try string(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}
