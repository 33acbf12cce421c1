internal import BSON
internal import CommandModel

// https://www.mongodb.com/docs/manual/administration/analyzing-mongodb-performance/ (full time diagnostic data)

extension CommandTable {
    /// The document that MongoDB records every second, of this moment, as exporters read it.
    @Sendable static func getDiagnosticData(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try request.takesNoArguments("getDiagnosticData")
        let start = ClusterClock.wallMilliseconds()
        let parts: [(StaticString, Handler)] = [
            ("serverStatus", serverStatus), ("replSetGetStatus", replSetGetStatus), ("connPoolStats", connPoolStats),
        ]
        var reports: [(name: StaticString, start: Int64, report: Document, end: Int64)] = []
        for (name, handler) in parts {
            let start = ClusterClock.wallMilliseconds()
            let body = Document { builder in
                builder.append(name, int32: 1)
                builder.append("$db", string: "admin")
            }
            let report = try await handler(try CommandRequest(body: body, sequences: []), context).builder.finish()
            reports.append((name, start, report, ClusterClock.wallMilliseconds()))
        }
        return CommandReply { builder in
            builder.beginDocument("data")
            builder.append("start", date: start)
            for part in reports {
                builder.beginDocument(part.name)
                builder.append("start", date: part.start)
                part.report.withRaw { raw in for field in raw where !(field.key == "start") { builder.append(field) } }
                builder.append("end", date: part.end)
                builder.end()
            }
            writeSystemMetrics(into: &builder)
            builder.append("end", date: ClusterClock.wallMilliseconds())
            builder.end()
        }
    }

    /// The kernel's own figures, where there are some.
    private static func writeSystemMetrics(into builder: inout DocumentBuilder) {
        let now = ClusterClock.wallMilliseconds()
        builder.beginDocument("systemMetrics")
        builder.append("start", date: now)
        builder.beginDocument("cpu")
        let ticks = SystemFile.lines("/proc/stat").first { $0.hasPrefix("cpu ") }
        let names: [StaticString] = ["user_ms", "nice_ms", "system_ms", "idle_ms", "iowait_ms", "irq_ms", "softirq_ms"]
        for (name, value) in zip(names, ticks?.split(separator: " ").dropFirst() ?? []) {
            // A tick is a hundredth of a second.
            if let count = Int64(value) { builder.append(name, int64: count &* 10) }
        }
        builder.end()
        builder.beginDocument("memory")
        let memory = SystemFile.settings("/proc/meminfo", separator: ":")
        for name in ["MemTotal", "MemFree", "MemAvailable", "Cached", "Dirty", "SwapTotal", "SwapFree"] {
            guard let kilobytes = memory[name]?.split(separator: " ").first.flatMap({ Int64($0) }) else { continue }
            builder.append(name: "\(name)_kb", .int64(kilobytes))
        }
        builder.end()
        builder.append("end", date: ClusterClock.wallMilliseconds())
        builder.end()
    }
}
