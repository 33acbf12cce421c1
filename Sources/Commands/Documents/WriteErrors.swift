internal import BSON
internal import CommandModel

/// The errors of the statements of one write command, and whether the next one may still run.
struct WriteErrors {
    private(set) var list: [(index: Int, error: CommandError)] = []
    let isOrdered: Bool

    init(isOrdered: Bool) {
        self.isOrdered = isOrdered
    }

    var mustStop: Bool { isOrdered && !list.isEmpty }

    /// - Throws: `error`, when it is not the statement's but ends the command.
    mutating func add(_ error: CommandError, at index: Int) throws(CommandError) {
        if error.endsCommand { throw error }
        list.append((index, error))
    }

    func write(into builder: inout DocumentBuilder) {
        guard !list.isEmpty else { return }
        builder.beginArray("writeErrors")
        for (position, entry) in list.sorted(by: { $0.index < $1.index }).enumerated() {
            builder.beginDocument(index: position)
            builder.append("index", int32: Int32(entry.index))
            builder.append("code", int32: entry.error.code.number)
            builder.append(details: entry.error.details)
            builder.append("errmsg", string: entry.error.message)
            builder.end()
        }
        builder.end()
    }
}

extension DocumentBuilder {
    mutating func append(details: Document?) {
        details?.withRaw { raw in
            for field in raw { append(field) }
        }
    }
}

extension SharedArguments {
    /// Nobody wants to hear what became of the write.
    var isUnacknowledged: Bool { writeConcern?.isUnacknowledged ?? false }

    /// The write is done, but one member cannot give what the write concern demands.
    func writeUnsatisfiedConcern(into builder: inout DocumentBuilder) {
        guard let error = writeConcern?.unsatisfied else { return }
        builder.beginDocument("writeConcernError")
        builder.append("code", int32: error.code.number)
        builder.append("codeName", string: error.code.name)
        builder.append("errmsg", string: error.message)
        builder.end()
    }
}

func checkWriteBatchSize(_ count: Int) throws(CommandError) {
    guard count >= 1, count <= ServerLimits.writeBatchMax else {
        throw CommandError(
            .invalidLength,
            "Write batch sizes must be between 1 and \(ServerLimits.writeBatchMax). Got \(count) operations.")
    }
}
