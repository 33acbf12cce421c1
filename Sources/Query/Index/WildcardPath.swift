internal import BSON

/// The path of a value in a wildcard index, as it stands in the keys.
///
/// # Keys of wildcard indexes
///
/// `{"$**": 1}` has a key for each value of a document, at whatever path. In the place of the wildcard field a key has
/// the path and, behind it, the value as any other field has it, always ascending:
///
///     the names, joined by 01, then 00; in them 01 → 02 01 and 02 → 02 02
///     the value's key
///
/// So equality with a path and a range of values there is a byte range, as for an index on that path alone; and what
/// lies at or below a path is one, too, from the path's bytes with 00 up to those with 02 (``subtree``): that is
/// `$exists: true`.
///
/// Which values have a key is MongoDB's rule. Documents have none themselves, only their fields, but for empty ones.
/// Arrays are opened and do not count in the path: elements that are documents have keys for their fields, other
/// elements are values at the array's path, also those that are arrays, which are not opened; an empty array is
/// undefined. So of what can be asked of a path, equality with a document or array cannot be answered, nor what is met
/// by the absence of the path.
///
///     {a: {b: 1, c: {}}, d: [2, {e: 3}, [4], []], f: []}    a.b: 1   a.c: {}   d: 2, [4], []   d.e: 3   f: undefined
///
/// A number in the path of a query may be a name or an index into an array, and an index is not in the keys. Where the
/// index has arrays, `a.0.b` may therefore be found at `a.0.b` and `a.b`, and, since an index also leads into an array
/// that is an element, within the arrays that are values at `a`.
///
/// A compound index has the values of its other fields before and behind, as the pattern has them. A document in which
/// the wildcard finds nothing has one key there, with ``none`` in the place of the path and the key of null: so that
/// every document can be found by the other fields.
///
/// A path that is longer than a key may be is cut where it gets too long, and further names are added to what is left:
/// so the cost of a key does not grow with the length of the path.
package struct WildcardPath {
    /// 02 stands before 01 or 02 everywhere else.
    static let none: [UInt8] = [2, 0]
    private static let separator: UInt8 = 1
    private static let end: UInt8 = 0

    private var bytes: [UInt8] = []
    private var isRoot = true

    init() {}

    /// - Parameter path: dotted.
    package init(_ path: String) {
        for name in path.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
            Array(name).withUnsafeBytes { _ = append($0) }
        }
    }

    /// What the keys of values at the path begin with, as the wildcard field has them.
    package var own: [UInt8] { bytes + [Self.end] }

    /// The range of the keys of all values at or below the path.
    package var subtree: KeyInterval {
        if bytes.count >= IndexKey.wholeLengthMax {
            let kept = Array(bytes[..<IndexKey.wholeLengthMax])
            return KeyInterval(lower: kept, upper: kept + [0xFF])
        }
        return KeyInterval(lower: bytes + [Self.end], upper: bytes + [2])
    }

    func write(to key: inout [UInt8]) {
        key.append(contentsOf: bytes)
        key.append(Self.end)
    }
}

// Going down and up.
extension WildcardPath {
    /// What ``append(_:)`` changed.
    struct Mark {
        fileprivate let count: Int
        fileprivate let digest: ArraySlice<UInt8>
        fileprivate let wasRoot: Bool
    }

    mutating func append(_ name: UnsafeRawBufferPointer) -> Mark {
        let mark = Mark(
            count: bytes.count, digest: bytes.count > IndexKey.wholeLengthMax ? bytes[IndexKey.wholeLengthMax...] : [],
            wasRoot: isRoot)
        if !isRoot { bytes.append(Self.separator) }
        isRoot = false
        if name.contains(where: { $0 == 1 || $0 == 2 }) {
            for byte in name {
                if byte == 1 || byte == 2 { bytes.append(2) }
                bytes.append(byte)
            }
        } else {
            bytes.append(contentsOf: name)
        }
        IndexKey.limit.apply(to: &bytes)
        return mark
    }

    mutating func remove(to mark: Mark) {
        isRoot = mark.wasRoot
        if mark.digest.isEmpty {
            bytes.removeLast(bytes.count - mark.count)
        } else {
            bytes.removeLast(bytes.count - IndexKey.wholeLengthMax)
            bytes.append(contentsOf: mark.digest)
        }
    }
}
