internal import CommandModel
internal import Logging
internal import NIOCore
internal import Postgres
internal import SQL

/// Builds indexes while their collection is written: the shell around ``IndexBuildMachine``, which says what it does.
///
/// Each step is a transaction that proves first that the build is still ours. A step that PostgreSQL refuses for a
/// passing reason (a lock, a collection that got another number meanwhile) is taken again.
struct IndexBuilder: Sendable {
    private let catalog: Catalog
    let ticket: IndexBuildTicket
    private let deadline: Deadline
    private let logger: Logger
    private(set) var machine: IndexBuildMachine
    private var done: Int64 = 0
    /// Of the last chunk.
    private var rows = 256
    private var namespace: Namespace?
    private var refusals = 0

    /// In a row; with ``Backoff`` about half a minute.
    private static let connectionFailuresMax = 600
    private static let lockMillisecondsMax = 2_000
    private static let touchPeriod = TimeAmount.seconds(5)

    init(_ ticket: IndexBuildTicket, in catalog: Catalog, until deadline: Deadline = .never, logger: Logger) {
        self.catalog = catalog
        self.ticket = ticket
        self.deadline = deadline
        self.logger = logger
        machine = IndexBuildMachine(
            indexes: ticket.indexes.count, after: ticket.position, constrained: ticket.constrained)
    }

    mutating func run() async -> IndexBuildMachine.Outcome {
        note("index build started", .info)
        var touched = NIODeadline.now()
        while let action = machine.action {
            if action != .undo, let failure = deadline.failure { machine.failed(failure) }
            let isRepeated = await step()
            guard isRepeated else { continue }
            if NIODeadline.now() - touched > Self.touchPeriod {
                touched = .now()
                await touch()
            }
            await Backoff.sleep(attempt: refusals)
        }
        deadline.report(nil)
        switch machine.outcome {
        case .ready, nil:
            await analyze()
            note("index build ended", .info)
        case .failed(let error): note("index build aborted", .notice, ["error": "\(error.message)"])
        case .takenOver: note("index build taken over", .notice)
        }
        return machine.outcome ?? .takenOver
    }

    /// Of no consequence when it fails: PostgreSQL does it by itself some time later.
    private func analyze() async {
        guard done >= IndexBuild.analyzedMin else { return }
        let ticket = ticket
        _ = try? await transaction(deadline) { connection throws(StorageError) in
            guard let collection = try CatalogSQL.find(uuid: ticket.uuid, on: connection) else { return }
            for index in collection.readyIndexes where ticket.indexes.contains(index.number) {
                try index.analyze(on: connection)
            }
        }
    }

    /// One action.
    ///
    /// - Returns: whether it is to be tried again after a pause.
    mutating func step() async -> Bool {
        guard let action = machine.action else { return false }
        deadline.report(OperationProgress(message: machine.message, done: done, total: max(ticket.total, done)))
        do throws(StorageError) {
            switch action {
            case .load(let position): try await load(after: position)
            case .drain: try await drain()
            case .constrain(let place): try await constrain(place)
            case .finish: try await finish()
            case .undo: try await undo()
            }
            refusals = 0
            return false
        } catch {
            refusals += 1
            return note(error)
        }
    }

    /// - Returns: whether the same may succeed later.
    private mutating func note(_ error: StorageError) -> Bool {
        switch error {
        case .command(let refusal): machine.failed(refusal)
        case .newFacts: return true
        case .postgres(let refusal):
            if refusal.state == IndexBuildTicket.moved {
                machine.lost()
            } else if refusal.isPassing || refusal.state == .lockNotAvailable || refusal.state == .undefinedTable {
                return true
            } else if refusal.category == .connection, refusals < Self.connectionFailuresMax {
                return true
            } else if machine.action == .undo {
                machine.abandoned()
            } else {
                machine.failed(deadline.failure ?? CommandError(refusal))
            }
        }
        return false
    }

    private func note(_ text: Logger.Message, _ level: Logger.Level, _ more: Logger.Metadata = [:]) {
        var metadata: Logger.Metadata = [
            "build": "\(ticket.number)", "indexes": "\(ticket.indexes)", "documents": "\(done)",
        ]
        if let namespace { metadata["ns"] = "\(namespace)" }
        logger.log(level: level, text, metadata: metadata.merging(more) { $1 })
    }

    /// Says that we are alive while something keeps us waiting.
    private func touch() async {
        _ = try? await transaction(.never) { connection throws(StorageError) in try ticket.touch(on: connection) }
    }

    private func transaction<R: Sendable>(
        _ deadline: Deadline, needsAll: Bool = false,
        _ work: @escaping @Sendable (Connection) throws(StorageError) -> R
    ) async throws(StorageError) -> R {
        // A lock on the whole table is not to be had in a moment where long reads overlap. Who waits for it makes
        // others wait, so the time is short at first.
        let patience = needsAll ? min(Self.lockMillisecondsMax, 30 << min(refusals / 4, 8)) : 0
        return try await catalog.pool.withConnection(until: deadline) { connection throws(StorageError) in
            connection.begin("BEGIN")
            do throws(StorageError) {
                if patience > 0 {
                    _ = try CatalogSQL.execute("SET LOCAL lock_timeout = \(patience)", [], on: connection)
                }
                let result = try work(connection)
                do throws(PostgresError) { try connection.commit() } catch { throw .postgres(error) }
                return result
            } catch {
                _ = connection.restoreIdle()
                throw error
            }
        }
    }
}

// The steps.
extension IndexBuilder {
    private mutating func load(after position: Int64?) async throws(StorageError) {
        let (ticket, rows) = (ticket, rows)
        let loaded = try await transaction(deadline) { connection throws(StorageError) in
            try IndexBuildWork(ticket, on: connection).load(after: position, rows: rows, on: connection)
        }
        namespace = loaded.namespace
        self.rows = loaded.nextRows
        done += Int64(loaded.count)
        machine.loaded(upTo: loaded.last)
    }

    private mutating func drain() async throws(StorageError) {
        let ticket = ticket
        do throws(StorageError) {
            let isFull = try await transaction(deadline) { connection throws(StorageError) in
                try IndexBuildWork(ticket, on: connection).drain(on: connection)
            }
            machine.drained(isFull: isFull)
        } catch {
            guard case .command(let violation) = error, violation.code == .duplicateKey else { throw error }
            machine.violated(violation, isFinal: false)
        }
    }

    private mutating func constrain(_ place: Int) async throws(StorageError) {
        let ticket = ticket
        do throws(StorageError) {
            try await transaction(deadline) { connection throws(StorageError) in
                try IndexBuildWork(ticket, on: connection).constrain(place, on: connection)
            }
            machine.constrained(place)
        } catch {
            guard case .postgres(let refusal) = error, refusal.category == .duplicateKey else { throw error }
            let found = try await transaction(deadline) { connection throws(StorageError) in
                try IndexBuildWork(ticket, on: connection).explain(refusal, on: connection)
            }
            machine.violated(found.error, isFinal: found.isFinal)
        }
    }

    private mutating func finish() async throws(StorageError) {
        let ticket = ticket
        do throws(StorageError) {
            try await transaction(deadline, needsAll: true) { connection throws(StorageError) in
                try IndexBuildWork(ticket, on: connection).finish(on: connection)
            }
            namespace.map(catalog.forget)
            machine.finished()
        } catch {
            guard case .command(let violation) = error, violation.code == .duplicateKey else { throw error }
            machine.violated(violation, isFinal: true)
        }
    }

    private mutating func undo() async throws(StorageError) {
        let ticket = ticket
        try await transaction(.never, needsAll: true) { connection throws(StorageError) in
            try ticket.touch(on: connection)
            for index in ticket.indexes {
                _ = try CatalogSQL.execute("SELECT martlet.drop_index($1)", [.int8(index)], on: connection)
            }
            try ticket.end(on: connection)
        }
        namespace.map(catalog.forget)
        machine.undone()
    }
}
