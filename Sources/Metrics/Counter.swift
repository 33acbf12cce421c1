package import Synchronization

/// Counts what has happened since the start. One relaxed addition; a reader sees some recent value.
package struct Counter: ~Copyable, Sendable {
    @usableFromInline let total = Atomic<Int>(0)

    package init() {}

    @inlinable
    package func count(_ amount: Int = 1) { total.wrappingAdd(amount, ordering: .relaxed) }

    package var value: Int { total.load(ordering: .relaxed) }
}

/// How many of something there are now.
package struct Gauge: ~Copyable, Sendable {
    @usableFromInline let current = Atomic<Int>(0)

    package init() {}

    @inlinable
    package func change(by amount: Int) { current.wrappingAdd(amount, ordering: .relaxed) }

    package func set(_ value: Int) { current.store(value, ordering: .relaxed) }

    package var value: Int { current.load(ordering: .relaxed) }
}
