package import Logging

/// A log handler before another one: it keeps each line in a ``LogRing`` and obeys the ring's verbosity.
///
/// The component of a line is the last part of the logger's label (`martlet.network` logs as NETWORK). Lines about
/// connections that come and go belong to `network`; `quiet` silences them there.
package struct RecordingLogHandler: LogHandler {
    private let component: String
    private let ring: LogRing
    private var next: any LogHandler
    private var ownLevel: Logger.Level?

    package init(label: String, ring: LogRing, next: any LogHandler) {
        component = label.split(separator: ".").last?.uppercased() ?? "-"
        self.ring = ring
        self.next = next
    }

    package func log(event: LogEvent) {
        if ring.isQuiet, component == "NETWORK", event.level < .warning { return }
        ring.append(line(of: event).json, isWarning: event.level >= .warning)
        next.log(event: event)
    }

    private func line(of event: LogEvent) -> LogLine {
        var attributes = next.metadata
        attributes.merge(metadataProvider?.get() ?? [:]) { _, new in new }
        attributes.merge(event.metadata ?? [:]) { _, new in new }
        if let error = event.error { attributes["error"] = "\(error)" }
        let connection = attributes.removeValue(forKey: "connection")
        return LogLine(
            milliseconds: ClusterClock.wallMilliseconds(), level: event.level, component: component,
            context: connection.map { "conn\($0)" } ?? "main", message: cut(event.message.description),
            attributes: attributes.sorted { $0.key < $1.key }.map { ($0.key, cut($0.value.description)) })
    }

    private func cut(_ text: String) -> String {
        guard text.utf8.count > LogRing.messageBytesMax else { return text }
        return String(decoding: text.utf8.prefix(LogRing.messageBytesMax), as: UTF8.self) + "…"
    }

    // What the logger sets is kept where the next handler reads it.
    package var metadataProvider: Logger.MetadataProvider? {
        get { next.metadataProvider }
        set { next.metadataProvider = newValue }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { next[metadataKey: key] }
        set { next[metadataKey: key] = newValue }
    }

    package var metadata: Logger.Metadata {
        get { next.metadata }
        set { next.metadata = newValue }
    }

    package var logLevel: Logger.Level {
        get { ownLevel ?? ring.level }
        set { ownLevel = newValue }
    }
}
