internal import BSON
internal import CommandModel
internal import Metrics
internal import Storage

// What exporters make graphs of.

extension ServerStatusSection {
    @Sendable static func metrics(_ builder: inout DocumentBuilder, _ server: ServerState) {
        let storage = server.engine.metrics
        builder.beginDocument("commands")
        for command in server.commands.everything {
            builder.beginDocument(name: command.name)
            builder.append("failed", int64: Int64(command.failed))
            builder.append("total", int64: Int64(command.times.count))
            builder.end()
        }
        builder.end()
        writeCursors(server, into: &builder)
        builder.beginDocument("document")
        builder.append("deleted", int64: Int64(storage.documents.deleted.value))
        builder.append("inserted", int64: Int64(storage.documents.inserted.value))
        builder.append("returned", int64: Int64(storage.documents.returned.value))
        builder.append("updated", int64: Int64(storage.documents.updated.value))
        builder.end()
        builder.beginDocument("operation")
        let retries = storage.retries.all.reduce(0) { $0 + $1.count }
        builder.append("writeConflicts", int64: Int64(storage.casLost.value + retries))
        builder.end()
        builder.beginDocument("query")
        builder.beginDocument("sort")
        builder.append("spillToDisk", int64: Int64(server.engine.spill.metrics.files.value))
        builder.end()
        builder.end()
        writeExecutor(.all, into: &builder)
    }

    private static func writeCursors(_ server: ServerState, into builder: inout DocumentBuilder) {
        let cursors = server.engine.cursors
        builder.beginDocument("cursor")
        builder.append("timedOut", int64: server.cursorTimeout.killed)
        builder.append("totalOpened", int64: Int64(cursors.opened.value))
        builder.beginDocument("open")
        builder.append("noTimeout", int64: Int64(cursors.immortalCount))
        builder.append("pinned", int64: Int64(cursors.pinnedCount))
        builder.append("total", int64: Int64(cursors.count))
        builder.end()
        builder.end()
    }

    private static func writeExecutor(_ usage: CollectionUsage, into builder: inout DocumentBuilder) {
        builder.beginDocument("queryExecutor")
        builder.append("scanned", int64: Int64(usage.keysExamined.value))
        builder.append("scannedObjects", int64: Int64(usage.documentsExamined.value))
        builder.beginDocument("collectionScans")
        builder.write(collectionScans: usage)
        builder.end()
        builder.end()
    }

    @Sendable static func security(_ builder: inout DocumentBuilder, _ server: ServerState) {
        let logins = server.access.logins
        builder.beginDocument("authentication")
        builder.append("saslSupportedMechsReceived", int64: Int64(logins.mechanismsAsked.value))
        builder.beginDocument("mechanisms")
        for mechanism in LoginCounters.Mechanism.allCases {
            let counts = logins[mechanism]
            builder.beginDocument(name: mechanism.rawValue)
            builder.write("speculativeAuthenticate", counts.receivedSpeculatively, counts.succeededSpeculatively)
            // There are no other members, and so none that log in.
            builder.write("clusterAuthenticate", Counter(), Counter())
            builder.write("authenticate", counts.received, counts.succeeded)
            builder.end()
        }
        builder.end()
        builder.end()
    }
}

extension CommandRequest {
    /// `opLatencies: {histograms: true}`
    var wantsLatencyHistograms: Bool {
        body.withRaw { $0["opLatencies"]?.document?["histograms"]?.isOn ?? false }
    }
}

extension DocumentBuilder {
    /// A transaction's statements count among the others; how long transactions took is not kept.
    mutating func write(latencies commands: CommandMetrics, histograms: Bool) {
        let byKind = zip(CommandKind.allCases, commands.byKind)
        beginDocument("opLatencies")
        for kindOfWork in CommandKind.Class.allCases {
            let all = byKind.filter { $0.0.class == kindOfWork }.reduce(LatencyCounts(.fine)) { $0.adding($1.1) }
            write(name: "\(kindOfWork)", all, histogram: histograms)
        }
        end()
    }

    /// In microseconds.
    mutating func write(name: String, _ counts: LatencyCounts, histogram: Bool) {
        beginDocument(name: name)
        if histogram {
            beginArray("histogram")
            for (index, entry) in counts.entries.enumerated() {
                beginDocument(index: index)
                append("micros", int64: Int64(entry.microseconds))
                append("count", int64: Int64(entry.count))
                end()
            }
            end()
        }
        append("latency", int64: Int64(counts.microseconds))
        append("ops", int64: Int64(counts.count))
        end()
    }

    fileprivate mutating func write(
        _ name: StaticString, _ received: borrowing Counter, _ successful: borrowing Counter
    ) {
        beginDocument(name)
        append("received", int64: Int64(received.value))
        append("successful", int64: Int64(successful.value))
        end()
    }

    mutating func write(collectionScans usage: CollectionUsage) {
        append("total", int64: Int64(usage.scans.value))
        append("nonTailable", int64: Int64(max(0, usage.scans.value - usage.tailableScans.value)))
    }
}
