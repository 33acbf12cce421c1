package import BSON
package import CommandModel

/// Sorts any number of records in bounded memory: when they outgrow it, those held so far go to a temporary file as a
/// sorted run, and the runs are merged while the result is read.
///
/// A record is a key, whose bytes are the order, and a document: a row and its sort key, or a group's state and the
/// group's key. Records with equal keys come out by `rid`, or by whatever number the caller gives in its place.
///
/// The merge holds a piece of each run (64 kB and a key), so there are ``mergedRunsMax`` runs at most: before there
/// is one more, all are merged into one, in a new file. Up to 12 GB with a limit of 100 MB that never happens.
package struct ExternalSorter {
    static let mergedRunsMax = 128
    private static let mergedRunsMin = 8

    private let limit: Int
    private let bytesMax: Int
    private let space: (any SpillSpace)?
    private var sorter: Sorter
    private var meter: WorkMeter
    private var file: (any SpillFile)?
    private var runs: [Range<Int>] = []
    private var keyBytesMax = 0
    /// The last record of a run that has all that are asked for: whatever comes after it is not needed.
    private var cutoff: (key: [UInt8], rid: Int64)?

    /// - Parameters:
    ///   - limit: how many records come out, skipped ones included; nil for all.
    ///   - space: nil when nothing may be written: then more than `bytesMax` is an error.
    ///   - narrowing: what is kept of each row; nil for all of it.
    ///   - patience: ends what takes too long.
    package init(
        limit: Int?, bytesMax: Int = Sorter.memoryBytesMax, space: (any SpillSpace)?,
        keeping narrowing: Narrowing? = nil, patience: Patience? = nil
    ) {
        self.limit = limit ?? .max
        self.bytesMax = bytesMax
        self.space = space
        meter = WorkMeter(patience)
        sorter = Sorter(limit: limit, bytesMax: bytesMax, keeping: narrowing, patience: patience)
    }

    /// Whether anything was written to a file.
    package var hasSpilled: Bool { file != nil }

    /// - Throws: QueryExceededMemoryLimitNoDiskUseAllowed (292), OutOfDiskSpace (14031).
    package mutating func insert(key: [UInt8], rid: Int64, row: RawDocument) throws(CommandError) {
        guard let space else { return try sorter.insert(key: key, rid: rid, row: row) }
        if let cutoff, !Sorter.precedes(key, rid, cutoff.key, cutoff.rid) { return }
        sorter.add(key: key, rid: rid, row: row)
        if sorter.byteCount > bytesMax { try spill(to: space) }
    }

    /// The records in order. The sorter is empty afterwards.
    package mutating func finish() throws(CommandError) -> SortedRecords {
        guard let space, file != nil else { return SortedRecords(try sorter.finish()) }
        try spill(to: space)
        guard let file else { return SortedRecords([]) }
        let merge = try RunMerge(of: runs, in: file, limit: limit)
        (self.file, runs) = (nil, [])
        return SortedRecords(merge)
    }

    private mutating func spill(to space: any SpillSpace) throws(CommandError) {
        let entries = try sorter.finish()
        guard let last = entries.last else { return }
        if runs.count >= runsMax { try mergeAll(space) }
        let target: any SpillFile
        if let file { target = file } else { target = try space.makeFile() }
        file = target
        var writer = RunWriter(file: target)
        for entry in entries {
            try meter.spend(WorkMeter.units(forBytes: 8 * entry.byteCount))
            try writer.append(entry)
        }
        runs.append(try writer.finish())
        keyBytesMax = max(keyBytesMax, writer.keyBytesMax)
        if entries.count == limit { cutoff = (last.key, last.rid) }
    }

    /// As many as fit with their keys into the memory of the sort.
    private var runsMax: Int {
        min(max(bytesMax / (RunReader.pieceBytes + keyBytesMax), Self.mergedRunsMin), Self.mergedRunsMax)
    }

    private mutating func mergeAll(_ space: any SpillSpace) throws(CommandError) {
        guard let source = file else { return }
        var merge = try RunMerge(of: runs, in: source, limit: limit)
        var writer = RunWriter(file: try space.makeFile())
        while let entry = try merge.next() {
            try meter.spend(WorkMeter.units(forBytes: 8 * entry.byteCount))
            try writer.append(entry)
        }
        file = writer.file
        runs = [try writer.finish()]
    }
}

/// What a sort gives, first to last: from memory, or merged from files as it is read.
package struct SortedRecords: Sendable {
    private enum Source: Sendable {
        /// Those from a position on. They are not removed: a cursor's state is copied from batch to batch.
        case memory([Sorter.Entry], from: Int)
        case merge(RunMerge)
    }

    private var source: Source
    /// Read, but not taken.
    private var head: Sorter.Entry?

    package static let empty = SortedRecords([])

    package init(_ entries: [Sorter.Entry]) {
        source = .memory(entries, from: 0)
    }

    init(_ merge: RunMerge) {
        source = .merge(merge)
    }

    /// Whether reading on may take a disk's time.
    package var isInMemory: Bool {
        if case .memory = source { return true }
        return false
    }

    /// The next record, which stays the next until it is taken.
    package mutating func peek() throws(CommandError) -> Sorter.Entry? {
        if head == nil { head = try read() }
        return head
    }

    package mutating func next() throws(CommandError) -> Sorter.Entry? {
        let entry = try peek()
        head = nil
        return entry
    }

    private mutating func read() throws(CommandError) -> Sorter.Entry? {
        switch source {
        case .memory(let entries, let position):
            guard position < entries.count else { return nil }
            source = .memory(entries, from: position + 1)
            return entries[position]
        case .merge(var merge):
            // Taken out while it changes, or its buffers would be copied.
            source = .memory([], from: 0)
            defer { source = .merge(merge) }
            return try merge.next()
        }
    }
}
