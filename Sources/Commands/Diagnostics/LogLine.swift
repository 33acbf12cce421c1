internal import Logging

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// One line of the log in the JSON shape that MongoDB's tools read: `t`, `s`, `c`, `id`, `ctx`, `msg`, `attr`.
struct LogLine {
    /// Since 1970 UTC.
    let milliseconds: Int64
    let level: Logger.Level
    let component: String
    /// The connection, or `main`.
    let context: String
    let message: String
    let attributes: [(key: String, value: String)]

    var json: String {
        var json = "{\"t\":{\"$date\":\"\(Self.timestamp(milliseconds))\"},\"s\":\"\(severity)\",\"c\":"
        Self.appendQuoted(component, to: &json)
        // The field is there because parsers expect it; our lines have no numbers.
        json += ",\"id\":0,\"ctx\":"
        Self.appendQuoted(context, to: &json)
        json += ",\"msg\":"
        Self.appendQuoted(message, to: &json)
        if !attributes.isEmpty { appendAttributes(to: &json) }
        json += "}"
        return json
    }

    private func appendAttributes(to json: inout String) {
        json += ",\"attr\":{"
        for (index, attribute) in attributes.enumerated() {
            if index > 0 { json += "," }
            Self.appendQuoted(attribute.key, to: &json)
            json += ":"
            Self.appendQuoted(attribute.value, to: &json)
        }
        json += "}"
    }

    private var severity: String {
        switch level {
        case .trace: "D2"
        case .debug: "D1"
        case .info, .notice: "I"
        case .warning: "W"
        case .error: "E"
        case .critical: "F"
        }
    }

    /// ISO 8601 in UTC with milliseconds; the time is one of a clock, so after 1970.
    static func timestamp(_ milliseconds: Int64) -> String {
        var seconds = time_t(milliseconds / 1_000)
        var fields = tm()
        gmtime_r(&seconds, &fields)
        let date = "\(fields.tm_year + 1900)-\(padded(fields.tm_mon + 1, 2))-\(padded(fields.tm_mday, 2))"
        let time = "\(padded(fields.tm_hour, 2)):\(padded(fields.tm_min, 2)):\(padded(fields.tm_sec, 2))"
        return "\(date)T\(time).\(padded(Int32(milliseconds % 1_000), 3))+00:00"
    }

    private static func padded(_ number: Int32, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// Text that may come from clients (names, addresses, drivers' errors), as a JSON string.
    private static func appendQuoted(_ text: String, to json: inout String) {
        json += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": json += "\\\""
            case "\\": json += "\\\\"
            case "\n": json += "\\n"
            case "\t": json += "\\t"
            case "\r": json += "\\r"
            case "\u{0}"..<" ": json += "\\u00" + padded(hexadecimal: scalar.value)
            default: json.unicodeScalars.append(scalar)
            }
        }
        json += "\""
    }

    private static func padded(hexadecimal value: UInt32) -> String {
        let digits = String(value, radix: 16)
        return digits.count < 2 ? "0" + digits : digits
    }
}
