package import Synchronization

/// A fixed number of counters in one block of memory.
//
// Safety: the pointer never changes, and what it points to is atomic and lives as long as this.
package final class CounterArray: @unchecked Sendable {
    @usableFromInline let counters: UnsafeMutableBufferPointer<Atomic<Int>>

    package init(count: Int) {
        counters = .allocate(capacity: max(1, count))
        for index in counters.indices { counters.initializeElement(at: index, to: Atomic(0)) }
    }

    deinit {
        counters.deinitialize()
        counters.deallocate()
    }

    package var count: Int { counters.count }

    /// An index out of bounds counts for the last one, which is where a caller keeps what it has no name for.
    @inlinable
    package func count(at index: Int, _ amount: Int = 1) {
        let index = min(max(index, 0), counters.count - 1)
        counters[index].wrappingAdd(amount, ordering: .relaxed)
    }

    package subscript(index: Int) -> Int {
        counters.indices.contains(index) ? counters[index].load(ordering: .relaxed) : 0
    }

    package var values: [Int] { counters.indices.map { self[$0] } }
}
