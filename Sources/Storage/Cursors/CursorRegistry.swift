package import CommandModel
package import Metrics
internal import NIOConcurrencyHelpers
package import NIOCore
internal import Synchronization

/// An open cursor: where a query stands, and who may go on with it.
package struct Cursor: Sendable {
    package let namespace: Namespace
    package var run: QueryRun
    package let sessionID: LogicalSessionID?
    /// The transaction that it reads in, and ends with.
    package let transactionNumber: Int64?
    /// What it reads in, outside transactions.
    package let snapshot: OpenTransaction?
    /// For `currentOp` and the log.
    package let command: String
    /// `noCursorTimeout`.
    package let isImmortal: Bool
    /// `maxTimeMS` of the find holds for each getMore of the cursor.
    package let maxTimeMilliseconds: Int64
    /// A getMore that finds nothing waits for something to come.
    package let awaitsData: Bool
    /// The hash of the user who alone may read on; nil where users do not matter.
    package let owner: [UInt8]?

    package init(
        namespace: Namespace, run: QueryRun, sessionID: LogicalSessionID?, transactionNumber: Int64? = nil,
        snapshot: OpenTransaction? = nil,
        command: String, isImmortal: Bool, maxTimeMilliseconds: Int64, awaitsData: Bool = false,
        owner: [UInt8]? = nil
    ) {
        self.namespace = namespace
        self.run = run
        self.sessionID = sessionID
        self.transactionNumber = transactionNumber
        self.snapshot = snapshot
        self.command = command
        self.isImmortal = isImmortal
        self.maxTimeMilliseconds = maxTimeMilliseconds
        self.awaitsData = awaitsData
        self.owner = owner
    }
}

/// The open cursors of this server, by id.
///
/// A cursor is a position, not a connection: an idle one costs memory only. A `getMore` checks its cursor out, so that
/// two of them cannot read one cursor at once. Ids are random, because an id is all that a client needs to read on.
package final class CursorRegistry: Sendable {
    package static let openMaxDefault = 100_000
    package static let idleMax = TimeAmount.minutes(10)

    package enum CheckOut: Sendable {
        case cursor(Cursor)
        case missing
        case inUse
    }

    fileprivate enum Slot {
        case idle(Cursor, since: NIODeadline)
        case checkedOut(Cursor)
    }

    private let slots = NIOLockedValueBox<[Int64: Slot]>([:])
    private let openMaxValue = Atomic<Int>(CursorRegistry.openMaxDefault)
    /// Cursors that were not opened, because too many are.
    package let refused = Counter()
    /// Since the start.
    package let opened = Counter()

    package init() {}

    package var openMax: Int {
        get { openMaxValue.load(ordering: .relaxed) }
        set { openMaxValue.store(newValue, ordering: .relaxed) }
    }

    package var count: Int { slots.withLockedValue { $0.count } }

    /// Those that a command reads now, and those that may idle for ever.
    package var pinnedCount: Int {
        slots.withLockedValue { slots in
            slots.values.count { if case .checkedOut = $0 { true } else { false } }
        }
    }

    package var immortalCount: Int { slots.withLockedValue { $0.values.count { $0.cursor.isImmortal } } }

    package func open(_ cursor: Cursor) throws(CommandError) -> Int64 {
        let id: Int64? = slots.withLockedValue { slots in
            guard slots.count < openMax else { return nil }
            var id = Int64.random(in: 1...Int64.max)
            while slots[id] != nil { id = Int64.random(in: 1...Int64.max) }
            slots[id] = .idle(cursor, since: .now())
            return id
        }
        guard let id else {
            refused.count()
            throw .overloaded("too many open cursors (\(openMax))")
        }
        opened.count()
        return id
    }

    /// The cursors that no command uses now, and for how long.
    package func idle(now: NIODeadline = .now()) -> [(id: Int64, cursor: Cursor, time: TimeAmount)] {
        slots.withLockedValue { slots in
            slots.compactMap { id, slot in
                guard case .idle(let cursor, let since) = slot else { return nil }
                return (id, cursor, now - since)
            }
        }
    }

    /// Whose cursor it is; nil when there is none, or users do not matter.
    package func owner(of id: Int64) -> [UInt8]? { slots.withLockedValue { $0[id]?.cursor.owner } }

    /// Whether nobody has killed the cursor.
    package func isOpen(_ id: Int64) -> Bool { slots.withLockedValue { $0[id] != nil } }

    package func checkOut(_ id: Int64) -> CheckOut {
        slots.withLockedValue { slots in
            guard let slot = slots[id] else { return .missing }
            guard case .idle(let cursor, _) = slot else { return .inUse }
            slots[id] = .checkedOut(cursor)
            return .cursor(cursor)
        }
    }

    /// Puts a cursor back, unless it was killed meanwhile.
    package func checkIn(_ id: Int64, _ cursor: Cursor) {
        slots.withLockedValue { slots in
            if slots[id] != nil { slots[id] = .idle(cursor, since: .now()) }
        }
    }

    /// - Returns: whether there was such a cursor.
    package func kill(_ id: Int64) -> Bool {
        slots.withLockedValue { $0.removeValue(forKey: id) != nil }
    }

    package func close(_ id: Int64) {
        slots.withLockedValue { $0[id] = nil }
    }

    /// Kills the cursors of ended sessions.
    package func kill(sessions: Set<LogicalSessionID>) {
        slots.withLockedValue { slots in
            slots = slots.filter { _, slot in slot.cursor.sessionID.map { !sessions.contains($0) } ?? true }
        }
    }

    /// Kills the cursors of an ended transaction.
    package func kill(transaction number: Int64, of session: LogicalSessionID) {
        slots.withLockedValue { slots in
            // The usual transaction has left none.
            guard slots.values.contains(where: { $0.cursor.transactionNumber == number }) else { return }
            slots = slots.filter { _, slot in
                slot.cursor.transactionNumber != number || slot.cursor.sessionID != session
            }
        }
    }

    /// Kills what nobody has read for ``idleMax``.
    ///
    /// - Returns: how many.
    package func reap(now: NIODeadline = .now()) -> Int {
        slots.withLockedValue { slots in
            let before = slots.count
            slots = slots.filter { _, slot in
                guard case .idle(let cursor, let since) = slot, !cursor.isImmortal else { return true }
                return now - since < Self.idleMax
            }
            return before - slots.count
        }
    }
}

extension CursorRegistry.Slot {
    fileprivate var cursor: Cursor {
        switch self {
        case .idle(let cursor, _), .checkedOut(let cursor): cursor
        }
    }
}
