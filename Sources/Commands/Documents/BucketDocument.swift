internal import BSON
internal import CommandModel
internal import Storage

/// A bucket of MongoDB's, as mongorestore inserts it: the measurements of a time series by columns. Pure.
enum BucketDocument {
    /// The measurements in it, in their order.
    static func measurements(in bucket: RawDocument, _ fields: TimeseriesFields) throws(CommandError) -> [Document] {
        guard let version = bucket["control"]?.document?["version"]?.number?.asInt64Exact,
            let data = bucket["data"]?.document, let times = data.column(named: fields.time)
        else { throw malformed("it has no control.version, or no data of '\(fields.time)'") }
        guard version == 1, let rows = times.document else {
            throw CommandError(
                .notImplemented,
                "a bucket of version \(version) is compressed, which is not read here: take the measurements out of "
                    + "the time series by mongoexport, and in by mongoimport")
        }
        var columns = try data.map { column throws(CommandError) in try Column(column) }
        var measurements: [Document] = []
        for row in rows {
            var measurement = DocumentBuilder()
            for index in columns.indices {
                if let value = columns[index].take(row.key) { measurement.append(columns[index].name, value) }
                if let meta = fields.meta, columns[index].isNamed(fields.time), let value = bucket["meta"] {
                    measurement.append(name: meta, Value(copying: value))
                }
            }
            measurements.append(measurement.finish())
        }
        guard columns.allSatisfy(\.isAtEnd) else { throw malformed("a column has rows without a time") }
        return measurements
    }

    private static func malformed(_ what: String) -> CommandError {
        CommandError(.badValue, "a bucket of a time series is malformed: \(what)")
    }

    /// Values by the number of the row; not each row has one.
    private struct Column {
        let name: RawKey
        private var rows: RawDocument.Iterator
        private var next: RawElement?

        init(_ column: RawElement) throws(CommandError) {
            guard let document = column.value.document else {
                throw BucketDocument.malformed("the column '\(column.key.string.prefix(100))' is no object")
            }
            name = column.key
            rows = document.makeIterator()
            next = rows.next()
        }

        var isAtEnd: Bool { next == nil }

        func isNamed(_ other: String) -> Bool { name.bytes.elementsEqual(other.utf8) }

        mutating func take(_ row: RawKey) -> RawValue? {
            guard let element = next, element.key == row else { return nil }
            next = rows.next()
            return element.value
        }
    }
}

extension RawDocument {
    fileprivate func column(named name: String) -> RawValue? {
        first { $0.key.bytes.elementsEqual(name.utf8) }?.value
    }
}

extension CommandTable {
    /// The measurements in the buckets go into the time series, each for itself; nothing does when a bucket is
    /// malformed. A bucket of which a measurement is refused is reported as failed.
    static func insert(
        buckets arguments: WriteStatements, into series: Collection, _ request: CommandRequest,
        _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        guard let fields = series.timeseries else { throw CommandError(.namespaceNotFound, "there is no time series") }
        var measurements: [Document] = []
        var owners: [Int] = []
        for (index, bucket) in arguments.list.enumerated() {
            let found = try bucket.withRaw { raw throws(CommandError) in
                try BucketDocument.measurements(in: raw, fields)
            }
            for measurement in found {
                measurements.append(try StoredDocument.prepare(measurement, context.server))
                owners.append(index)
            }
        }
        let numbers = measurements.indices.map { request.shared.statementNumber(at: $0) }
        let refused = try await store(
            measurements, numbers, in: series.namespace, isOrdered: arguments.isOrdered,
            context.bypassingValidation(arguments.bypassesValidation))
        var errors = WriteErrors(isOrdered: arguments.isOrdered)
        for (index, error) in refused where errors.list.last?.index != owners[index] {
            try errors.add(error, at: owners[index])
        }
        context.server.counters.countInserts(arguments.list.count)
        _ = context.server.clock.tick()
        if request.shared.isUnacknowledged { return CommandReply() }
        let stored = errors.mustStop ? errors.list.first?.index ?? 0 : arguments.list.count - errors.list.count
        var reply = CommandReply { builder in
            builder.append("n", int32: Int32(clamping: stored))
            errors.write(into: &builder)
            request.shared.writeUnsatisfiedConcern(into: &builder)
        }
        reply.hasWriteErrors = !errors.list.isEmpty
        reply.append(repeatedOf: context.documents)
        return reply
    }
}
