package import BSON
package import CommandModel

/// Gathers the distinct values at a path: elements of an array count one by one.
package struct DistinctCollector {
    /// What fits into one reply.
    package static let replyBytesMax = 16 * 1024 * 1024

    package let path: String
    private let steps: [SortStep]
    private let bytesMax: Int
    package let order: ValueOrder
    private var seen: Set<[UInt8]> = []
    private var byteCount = 0
    /// How many values there were.
    private var visited = 0
    /// In the order in which they were first seen; of equal ones the first.
    private var values: [Value] = []

    package init(path: String, order: ValueOrder = ValueOrder(nil), bytesMax: Int = DistinctCollector.replyBytesMax) {
        self.path = path
        self.order = order
        steps = path.split(separator: ".", omittingEmptySubsequences: false).map { component in
            let name = Array(component.utf8)
            let index = name.withUnsafeBytes { bytes in
                bytes.baseAddress.flatMap { RawKey(start: $0, count: bytes.count).arrayIndex }
            }
            return SortStep(name: name, index: index ?? -1)
        }
        self.bytesMax = bytesMax
    }

    /// - Returns: whether there was any value, a new one or not.
    @discardableResult
    package mutating func add(_ document: RawDocument) throws(CommandError) -> Bool {
        let before = visited
        try visit(document[steps[0]], 1)
        return visited != before
    }

    /// The values found, ascending.
    package func sorted() -> [Value] {
        values.sorted { left, right in left.withRaw { left in right.withRaw { order.compare(left, $0) < 0 } } }
    }

    private mutating func visit(_ value: RawValue?, _ depth: Int) throws(CommandError) {
        guard let value else { return }
        guard depth < steps.count else { return try visitEnd(value) }
        if let document = value.document {
            try visit(document[steps[depth]], depth + 1)
        } else if let array = value.array {
            if steps[depth].index >= 0 { try visit(array[steps[depth]], depth + 1) }
            for element in array {
                guard let document = element.value.document else { continue }
                try visit(document[steps[depth]], depth + 1)
            }
        }
    }

    private mutating func visitEnd(_ value: RawValue) throws(CommandError) {
        guard let array = value.array else { return try take(value) }
        for element in array { try take(element.value) }
    }

    private mutating func take(_ value: RawValue) throws(CommandError) {
        visited &+= 1
        guard seen.insert(order.key(of: value)).inserted else { return }
        values.append(Value(copying: value))
        // Type byte, name and NUL come on top of the payload.
        byteCount += value.count + 10
        guard byteCount <= bytesMax else {
            throw CommandError(ErrorCode(17217), "distinct too big, 16mb cap")
        }
    }
}
