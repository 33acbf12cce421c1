internal import Commands
internal import Foundation
package import Logging

/// The log: on standard error as text lines or as one JSON object per line, and its end in memory for `getLog`.
package struct ServerLog: Sendable {
    package let logger: Logger
    let ring: LogRing

    /// To be called once, before anything logs.
    package static func bootstrap(level: Logger.Level, json: Bool) -> ServerLog {
        let ring = LogRing(baseLevel: level)
        LoggingSystem.bootstrap { label in
            var output: any LogHandler =
                json ? JSONLogHandler(label: label) : StreamLogHandler.standardError(label: label)
            // The handler before it decides, by the level that `setParameter` can change.
            output.logLevel = .trace
            return RecordingLogHandler(label: label, ring: ring, next: output)
        }
        return ServerLog(logger: Logger(label: "martlet"), ring: ring)
    }
}

/// One JSON object per line: `time`, `level`, `label`, `message`, then the metadata.
struct JSONLogHandler: LogHandler {
    let label: String
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
        if let given = event.metadata { all.merge(given) { _, new in new } }
        var line = "{\"time\":\"\(Date().formatted(.iso8601))\",\"level\":\"\(event.level)\","
        line += "\"label\":\(Self.quoted(label)),\"message\":"
        line += Self.quoted("\(event.message)")
        for (key, value) in all.sorted(by: { $0.key < $1.key }) {
            line += ",\(Self.quoted(key)):\(Self.quoted("\(value)"))"
        }
        // A log that cannot be written must not end the server.
        try? FileHandle.standardError.write(contentsOf: Data((line + "}\n").utf8))
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case let control where control.value < 0x20:
                let hex = String(control.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
