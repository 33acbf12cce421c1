internal import BSON
internal import CommandModel
internal import Query

/// The stages of a pipeline between the rows of a query and the batches of a reply.
///
/// Stages pull: whoever needs documents asks the stage before for a batch, so that a `$limit` stops the source and a
/// cursor keeps no more than a batch per stage. Only the way to the first stage that must see everything is pushed: the
/// rows stream through it in one statement, instead of one per batch.
//
// Safety: belongs to one `QueryRun`, and a cursor is checked out by one command at a time.
final class PipelineRun: @unchecked Sendable {
    /// Reads rows into a sink until it is full. Gives whether there are no more.
    typealias Source = (inout BatchSink) throws(StorageError) -> Bool

    private struct Level {
        let stage: any StageRun
        var input = Batch()
        var position = 0
        var hasAllInput = false
    }

    private var levels: [Level]
    private let firstBlocking: Int?
    /// Whether rows may stream into the first blocking stage: no stage on the way needs the connection.
    private let mayPush: Bool
    private let patience: Patience?
    private var isSourceDrained = false
    /// Results that did not fit into the reply.
    private var ready = Batch()
    private var readyPosition = 0
    /// Why it cannot go on: it stopped in the middle of something.
    private var failure: StorageError?

    init(_ pipeline: Pipeline, _ limits: StageLimits) {
        let runs = pipeline.stages.map { $0.makeRun(limits) }
        levels = runs.map { Level(stage: $0) }
        let firstBlocking = runs.firstIndex { $0.isBlocking }
        self.firstBlocking = firstBlocking
        patience = limits.patience
        mayPush = firstBlocking.map { blocking in !runs[...blocking].contains { $0.readsCollections } } ?? false
    }

    /// Fills a reply.
    ///
    /// - Returns: whether there is nothing after it.
    func fill(_ reply: inout ReplyBatch, deadline: Deadline, _ source: Source) throws(StorageError) -> Bool {
        if let failure { throw failure }
        do throws(StorageError) {
            while true {
                guard try deliver(to: &reply) else { return false }
                guard let next = try pull(levels.count - 1, deadline, source) else { return true }
                (ready, readyPosition) = (next, 0)
            }
        } catch {
            failure = error
            throw error
        }
    }

    /// The next results; nil at the end.
    func next(deadline: Deadline, _ source: Source) throws(StorageError) -> Batch? {
        try pull(levels.count - 1, deadline, source)
    }

    /// - Returns: whether all that was ready has gone into the reply.
    private func deliver(to reply: inout ReplyBatch) throws(StorageError) -> Bool {
        try Self.mapped { () throws(CommandError) in
            try ready.forEach(from: &readyPosition) { document throws(CommandError) in
                guard !reply.isFull else { return false }
                guard document.bytes.count <= ReplyBatch.documentBytesMax else {
                    throw CommandError(
                        .bsonObjectTooLarge,
                        "BSONObj size: \(document.bytes.count) is invalid. Size must be between "
                            + "0 and \(ReplyBatch.documentBytesMax)")
                }
                return try reply.append(document)
            }
        }
        return readyPosition == ready.count
    }

    /// The next documents that come out of a stage (of the source, for -1); nil when there are none.
    private func pull(_ index: Int, _ deadline: Deadline, _ source: Source) throws(StorageError) -> Batch? {
        guard index >= 0 else { return try pullSource(source) }
        if mayPush, index == firstBlocking, !levels[index].hasAllInput { try pushSource(to: index, deadline, source) }
        var output = Batch()
        while true {
            try process(index, into: &output)
            if !output.isEmpty { return output }
            guard !levels[index].hasAllInput, !levels[index].stage.isSatisfied else {
                return try finish(index, deadline)
            }
            if let input = try pull(index - 1, deadline, source) {
                (levels[index].input, levels[index].position) = (input, 0)
            } else {
                levels[index].hasAllInput = true
            }
            try deadline.check()
        }
    }

    private func process(_ index: Int, into output: inout Batch) throws(StorageError) {
        let stage = levels[index].stage
        var position = levels[index].position
        guard position < levels[index].input.count else { return }
        defer { levels[index].position = position }
        try Self.mapped { () throws(CommandError) in
            try stage.process(levels[index].input, from: &position, into: &output)
        }
    }

    private func finish(_ index: Int, _ deadline: Deadline) throws(StorageError) -> Batch? {
        try deadline.check()
        var output = Batch()
        let stage = levels[index].stage
        try Self.mapped { () throws(CommandError) in try stage.finish(into: &output) }
        return output.isEmpty ? nil : output
    }

    private func pullSource(_ source: Source) throws(StorageError) -> Batch? {
        while !isSourceDrained {
            var sink = BatchSink()
            isSourceDrained = try source(&sink)
            if !sink.batch.isEmpty { return sink.batch }
        }
        return nil
    }

    /// Streams all rows through the stages before `blocking` into it.
    private func pushSource(to blocking: Int, _ deadline: Deadline, _ source: Source) throws(StorageError) {
        var sink = BatchSink()
        sink.drain = { batch throws(CommandError) in try self.push(batch, 0, blocking) }
        while !isSourceDrained, !sink.isFull { isSourceDrained = try source(&sink) }
        try Self.mapped { () throws(CommandError) in try sink.flush() }
        for index in 0...blocking { levels[index].hasAllInput = true }
    }

    /// - Returns: whether more is wanted.
    private func push(_ input: Batch, _ index: Int, _ blocking: Int) throws(CommandError) -> Bool {
        // Few rows may become many documents on the way: no more rows come, and nobody else looks at the time.
        try patience?.check()
        let stage = levels[index].stage
        var position = 0
        while position < input.count, !stage.isSatisfied {
            var output = Batch()
            try stage.process(input, from: &position, into: &output)
            if index < blocking, !output.isEmpty, try !push(output, index + 1, blocking) { return false }
        }
        return !stage.isSatisfied
    }

    private static func mapped<R>(_ body: () throws(CommandError) -> R) throws(StorageError) -> R {
        do throws(CommandError) { return try body() } catch { throw .command(error) }
    }
}
