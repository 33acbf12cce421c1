package import CommandModel
internal import Synchronization

/// How long the expressions of a command may run: they can loop over large arrays within each other, and nobody else
/// can stop them meanwhile.
///
/// One for all programs of a command. What a cursor runs outlives the command that compiled it, so each command that
/// continues it sets its own end.
package final class Patience: Sendable {
    /// Why the command must end now; nil while it may go on.
    package typealias End = @Sendable () -> CommandError?

    /// A closure that stands bare in a generic value such as a lock is wrapped into two thunks more by each access, so
    /// that a check would take the longer, the more checks went before.
    private struct Current {
        var end: End
    }

    private let current: Mutex<Current>

    package init(_ end: @escaping End) {
        current = Mutex(Current(end: end))
    }

    package func renew(_ end: @escaping End) {
        current.withLock { $0.end = end }
    }

    package func check() throws(CommandError) {
        let now = current.withLock { $0 }
        if let failure = now.end() { throw failure }
    }
}

/// Counts work, so that the clock is asked now and then only.
///
/// A unit is what takes some ten nanoseconds: a step over an element, a comparison, 64 bytes moved. Whoever runs a loop
/// that is not as short as the text of an expression spends for each turn. To spend more than was done costs little; a
/// loop that spends nothing runs on when its command has ended.
package struct WorkMeter {
    /// How much may be done between two looks at the clock: about a millisecond's work at the most.
    static let unitsBetweenChecks = 8192

    private let patience: Patience?
    private(set) var left: Int

    package init(_ patience: Patience?) {
        self.init(patience, left: Self.unitsBetweenChecks)
    }

    /// - Parameter left: what a meter before this one had left.
    init(_ patience: Patience?, left: Int) {
        self.patience = patience
        self.left = patience == nil ? .max : left
    }

    /// - Throws: why the command must end, once it must.
    @inline(__always)
    package mutating func spend(_ units: Int) throws(CommandError) {
        left &-= units
        if left < 0 { try check() }
    }

    /// What it takes to move or compare so many bytes.
    @inline(__always)
    static func units(forBytes count: Int) -> Int { 1 + count >> 6 }

    @inline(never)
    private mutating func check() throws(CommandError) {
        guard let patience else { return left = .max }
        left = Self.unitsBetweenChecks
        try patience.check()
    }
}

extension MutableCollection where Self: RandomAccessCollection {
    /// Sorts, stably, by a test that may end it.
    mutating func sortThrowing(
        by areInOrder: (Element, Element) throws(CommandError) -> Bool
    ) throws(CommandError) {
        do {
            try sort { first, second in try areInOrder(first, second) }
        } catch let error as CommandError {
            throw error
        } catch {
            throw CommandError(.internalError, "a sort ended with \(error)")
        }
    }
}
