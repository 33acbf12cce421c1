/// Writes metrics in Prometheus' text format 0.0.4. Pure: values come in, text comes out.
///
/// Format: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
package struct PrometheusText {
    /// `["pool": name]`; in this order. The names are ours, the values may be anybody's.
    package struct Labels: Sendable, ExpressibleByDictionaryLiteral {
        fileprivate let pairs: [(name: StaticString, value: String)]

        package init(dictionaryLiteral elements: (StaticString, String)...) {
            pairs = elements.map { (name: $0, value: $1) }
        }
    }

    package private(set) var text = ""

    package init() {}

    /// A metric without labels.
    package mutating func counter(_ name: StaticString, _ help: StaticString, _ value: Int) {
        family(name, help, "counter")
        sample(name, [:], value)
    }

    package mutating func gauge(_ name: StaticString, _ help: StaticString, _ value: Int) {
        family(name, help, "gauge")
        sample(name, [:], value)
    }

    /// One sample for each set of labels. All samples of a name have to stand together, hence the list.
    package mutating func counters(
        _ name: StaticString, _ help: StaticString, _ samples: [(labels: Labels, value: Int)]
    ) {
        family(name, help, "counter")
        for each in samples { sample(name, each.labels, each.value) }
    }

    package mutating func gauges(
        _ name: StaticString, _ help: StaticString, _ samples: [(labels: Labels, value: Int)]
    ) {
        family(name, help, "gauge")
        for each in samples { sample(name, each.labels, each.value) }
    }

    /// Counters that are shown as fractions of a unit: seconds.
    package mutating func counters(
        _ name: StaticString, _ help: StaticString, seconds: [(labels: Labels, nanoseconds: Int)]
    ) {
        family(name, help, "counter")
        for each in seconds { line(name, "", each.labels, nil, Self.number(Double(each.nanoseconds) / 1e9)) }
    }

    package mutating func histograms(
        _ name: StaticString, _ help: StaticString, _ histograms: [(labels: Labels, snapshot: HistogramSnapshot)]
    ) {
        family(name, help, "histogram")
        for each in histograms { histogram(name, each.labels, each.snapshot) }
    }

    private mutating func histogram(_ name: StaticString, _ labels: Labels, _ snapshot: HistogramSnapshot) {
        var cumulative = 0
        for bucket in 0..<snapshot.bounds.count {
            cumulative += bucket < snapshot.buckets.count ? snapshot.buckets[bucket] : 0
            line(name, "_bucket", labels, Self.number(snapshot.bounds.bound(bucket)), String(cumulative))
        }
        let total = snapshot.count
        line(name, "_bucket", labels, "+Inf", String(total))
        line(name, "_sum", labels, nil, Self.number(Double(snapshot.sum) / snapshot.bounds.divisor))
        line(name, "_count", labels, nil, String(total))
    }

    private mutating func family(_ name: StaticString, _ help: StaticString, _ type: StaticString) {
        text += "# HELP \(name) "
        Self.escape("\(help)", quotes: false, into: &text)
        text += "\n# TYPE \(name) \(type)\n"
    }

    private mutating func sample(_ name: StaticString, _ labels: Labels, _ value: Int) {
        line(name, "", labels, nil, String(value))
    }

    private mutating func line(
        _ name: StaticString, _ suffix: StaticString, _ labels: Labels, _ bound: String?, _ value: String
    ) {
        text += "\(name)\(suffix)"
        var separator = "{"
        for (label, value) in labels.pairs {
            text += "\(separator)\(label)=\""
            Self.escape(value, quotes: true, into: &text)
            text += "\""
            separator = ","
        }
        if let bound { text += "\(separator)le=\"\(bound)\"" }
        text += labels.pairs.isEmpty && bound == nil ? " " : "} "
        text += value
        text += "\n"
    }

    /// A line feed would begin a new line of the format, and a label may hold what a client chose.
    private static func escape(_ value: String, quotes: Bool, into text: inout String) {
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\"" where quotes: text += "\\\""
            default: text.unicodeScalars.append(scalar)
            }
        }
    }

    /// Whole numbers without a fraction, as Prometheus' own clients write them.
    static func number(_ value: Double) -> String {
        if value == value.rounded(), abs(value) < 1e15 { return String(Int(value)) }
        return "\(value)"
    }
}
