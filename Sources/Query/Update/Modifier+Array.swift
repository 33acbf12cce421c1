internal import BSON
internal import CommandModel

/// `$push` with its modifiers.
struct Push {
    var values: [RawValue] = []
    var position: Int64?
    var slice: Int64?
    var order: ElementOrder?

    /// How the array is sorted after the values were added.
    enum ElementOrder {
        case whole(descending: Bool)
        case fields([(path: RawKey, descending: Bool)])
    }
}

/// Which elements `$pull` removes.
enum PullCondition {
    case equal(RawValue)
    /// Put to the element as the value of a field without a name.
    case value(Filter)
    /// Put to elements that are documents.
    case document(Filter)

    func matches(_ element: RawValue, _ order: ValueOrder) throws(CommandError) -> Bool {
        switch self {
        case .equal(let value): order.areEqual(element, value)
        case .value(let filter): try filter.matches(Document { $0.append("", element) })
        case .document(let filter): if let document = element.document { try filter.matches(document) } else { false }
        }
    }
}

extension UpdateRun {
    mutating func applyPush(_ push: Push, _ key: RawKey, _ value: RawValue?) throws(CommandError) {
        var elements: [RawValue] = []
        if let value {
            guard let array = value.array else {
                throw CommandError(
                    .badValue,
                    "The field '\(pathText)' must be an array but is of type \(value.type.alias) in document "
                        + "{\(documentText)}")
            }
            elements = array.map(\.value)
        }
        elements.insert(contentsOf: push.values, at: Self.offset(push.position, in: elements.count))
        try push.order?.sort(&elements, plan.order, &meter)
        try appendArray(key, Self.slice(elements, push.slice))
    }

    /// Negative positions count from the end; those beyond either end mean that end.
    private static func offset(_ position: Int64?, in count: Int) -> Int {
        guard let position else { return count }
        let offset = position < 0 ? Int64(count) + Swift.max(position, -Int64(count)) : position
        return Int(Swift.min(offset, Int64(count)))
    }

    private static func slice(_ elements: [RawValue], _ slice: Int64?) -> ArraySlice<RawValue> {
        guard let slice else { return elements[...] }
        let count = Int(Swift.min(slice.magnitude, UInt64(elements.count)))
        return slice < 0 ? elements.suffix(count) : elements.prefix(count)
    }

    mutating func applyAddToSet(_ values: [RawValue], _ key: RawKey, _ value: RawValue?) throws(CommandError) {
        var elements: [RawValue] = []
        if let value {
            guard let array = value.array else {
                throw CommandError(
                    .badValue,
                    "Cannot apply $addToSet to non-array field. Field named '\(key.string)' has non-array type "
                        + "\(value.type.alias)")
            }
            elements = array.map(\.value)
        }
        var present = try ValueIndex(elements, plan.order, &meter)
        for new in values {
            try meter.spend(WorkMeter.units(forBytes: 16 * new.count))
            if present.contains(new) { continue }
            elements.append(new)
            present.insert(new)
        }
        try appendArray(key, elements[...])
    }

    mutating func applyPop(first: Bool, _ key: RawKey, _ value: RawValue?) throws(CommandError) {
        guard let value else { return }
        guard let array = value.array else {
            throw CommandError(
                .typeMismatch, "Path '\(pathText)' contains an element of non-array type '\(value.type.alias)'")
        }
        let elements = array.map(\.value)
        try appendArray(key, first ? elements.dropFirst() : elements.dropLast())
    }

    mutating func applyPull(
        _ key: RawKey, _ value: RawValue?, _ isRemoved: (RawValue) throws(CommandError) -> Bool
    ) throws(CommandError) {
        guard let value else { return }
        guard let array = value.array else {
            throw CommandError(.badValue, "Cannot apply $pull to a non-array value")
        }
        var kept: [RawValue] = []
        for element in array {
            try meter.spend(WorkMeter.units(forBytes: 16 * element.value.count))
            if try !isRemoved(element.value) { kept.append(element.value) }
        }
        try appendArray(key, kept[...])
    }

    private mutating func appendArray(_ key: RawKey, _ elements: ArraySlice<RawValue>) throws(CommandError) {
        writer.begin(.array, key)
        for (index, element) in elements.enumerated() { writer.append(index: index, element) }
        try writer.end()
    }
}

extension Push.ElementOrder {
    /// Stable: equal elements keep their places.
    func sort(
        _ elements: inout [RawValue], _ order: ValueOrder, _ meter: inout WorkMeter
    ) throws(CommandError) {
        switch self {
        case .whole(let descending):
            try elements.sortThrowing { left, right throws(CommandError) in
                try meter.spend(WorkMeter.units(forBytes: min(left.count, right.count)))
                return descending ? order.compare(left, right) > 0 : order.compare(left, right) < 0
            }
        case .fields(let fields):
            var keyed: [(key: [UInt8], value: RawValue)] = []
            for element in elements {
                try meter.spend(WorkMeter.units(forBytes: 16 * element.count))
                keyed.append((Self.key(of: element, fields, order), element))
            }
            try keyed.sortThrowing { left, right throws(CommandError) in
                try meter.spend(2)
                return left.key.lexicographicallyPrecedes(right.key)
            }
            elements = keyed.map(\.value)
        }
    }

    private static func key(
        of element: RawValue, _ fields: [(path: RawKey, descending: Bool)], _ order: ValueOrder
    ) -> [UInt8] {
        var encoder = KeyEncoder()
        for field in fields {
            if let value = element.document?.value(atDocumentPath: field.path) {
                encoder.append(value, descending: field.descending, collator: order.collator)
            } else {
                encoder.appendMissing(descending: field.descending)
            }
        }
        return encoder.bytes
    }
}
