package import BSON

/// Order, equality and hash keys of values as one command sees them: by a collator, or by bytes where there is none.
package struct ValueOrder: Sendable {
    package let collator: Collator?

    package init(_ collator: Collator?) {
        self.collator = collator
    }

    /// Negative, zero or positive, as `left` comes before, with or after `right`.
    @inline(__always)
    package func compare(_ left: RawValue, _ right: RawValue) -> Int { left.compare(to: right, collator: collator) }

    @inline(__always)
    package func areEqual(_ left: RawValue, _ right: RawValue) -> Bool { left.equals(right, collator: collator) }

    /// Bytes that are the same for equal values, and compare like them.
    package func key(of value: RawValue) -> [UInt8] {
        guard let collator else { return KeyEncoder.encode(value) }
        return KeyEncoder.encode(value, by: collator)
    }
}

extension RawValue {
    @inline(__always)
    package func compare(to other: RawValue, collator: Collator?) -> Int {
        guard let collator else { return compare(to: other) }
        return compare(to: other, by: collator)
    }

    @inline(__always)
    package func equals(_ other: RawValue, collator: Collator?) -> Bool {
        guard let collator else { return equals(other) }
        return equals(other, by: collator)
    }

    func equals(_ other: RawValue, by collator: Collator) -> Bool {
        type.canonicalTypeRank == other.type.canonicalTypeRank && compare(to: other, by: collator) == 0
    }
}

extension KeyEncoder {
    @inline(__always)
    package mutating func append(_ value: RawValue, descending: Bool = false, collator: Collator?) {
        if let collator {
            append(value, descending: descending, by: collator)
        } else {
            append(value, descending: descending)
        }
    }
}

/// Which collation a command asks for.
package enum CollationChoice: Sendable {
    /// That of the collection.
    case inherited
    /// Bytes, whatever the collection has.
    case simple
    case chosen(Collator)

    package func collator(default inherited: Collator?) -> Collator? {
        switch self {
        case .inherited: inherited
        case .simple: nil
        case .chosen(let collator): collator
        }
    }
}
