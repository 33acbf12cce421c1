internal import BSON
internal import CommandModel

/// Documents laid over each other: `$mergeObjects`. A field stays where it first stood and has its last value.
final class MergedFields {
    private var places: [[UInt8]: Int] = [:]
    private var fields: [(key: [UInt8], value: KeptValue)] = []
    private var bytes = 0

    /// Null and nothing change nothing.
    func merge(_ value: RawValue?) throws(CommandError) {
        guard let value, !value.isNullish else { return }
        guard let document = value.document else {
            throw CommandError(
                ErrorCode(5_911_200), "$mergeObjects only supports objects, but found \(value.type.alias)")
        }
        for element in document { try set(element.value, at: Array(element.key.bytes)) }
    }

    func merge(_ later: MergedFields) throws(CommandError) {
        for field in later.fields {
            try field.value.withValue { value throws(CommandError) in try set(value, at: field.key) }
        }
    }

    private func set(_ value: RawValue, at key: [UInt8]) throws(CommandError) {
        if let place = places[key] {
            bytes -= fields[place].value.byteCount
            fields[place].value.set(value)
            bytes += fields[place].value.byteCount
        } else {
            places[key] = fields.count
            let kept = KeptValue(value)
            fields.append((key, kept))
            bytes += 2 * key.count + 160 + kept.byteCount
        }
        guard byteCount <= AccumulatorState.bytesMax else { throw AccumulatorState.outOfMemory("$mergeObjects") }
    }

    func document(_ run: Evaluator) throws(CommandError) -> RawValue {
        let base = run.stack.count
        for field in fields {
            guard let value = try field.value.value(run) else { continue }
            try run.stack.push(RawElement(key: try Self.name(field.key, run), value: value))
        }
        return try run.popDocument(from: base)
    }

    private static func name(_ key: [UInt8], _ run: Evaluator) throws(CommandError) -> RawKey {
        let start = try run.scratch.allocate(key.count)
        key.withUnsafeBytes { UnsafeMutableRawBufferPointer(start: start, count: key.count).copyMemory(from: $0) }
        return RawKey(start: start, count: key.count)
    }

    var byteCount: Int { bytes + 96 }
}
