internal import Commands
internal import Metrics
internal import Storage

extension MetricsPage {
    static func writeLogins(_ logins: LoginCounters, into page: inout PrometheusText) {
        typealias Samples = [(labels: PrometheusText.Labels, value: Int)]
        var attempts: Samples = []
        var ended: Samples = []
        for mechanism in LoginCounters.Mechanism.allCases {
            let (name, counts) = (mechanism.rawValue, logins[mechanism])
            attempts.append((["mechanism": name], counts.received.value))
            ended.append((["mechanism": name, "outcome": "succeeded"], counts.succeeded.value))
            ended.append((["mechanism": name, "outcome": "failed"], counts.failed.value))
        }
        ended.append((["mechanism": "other", "outcome": "failed"], logins.failedOtherwise.value))
        page.counters("martlet_login_attempts_total", "Logins that were begun, by mechanism.", attempts)
        page.counters(
            "martlet_logins_total", "Logins that have succeeded, and those that were refused for what was shown.",
            ended)
        page.counter(
            "martlet_logins_throttled_total", "Logins not looked at, because too many of their address had failed.",
            logins.throttled.value)
    }

    static func writeDocuments(_ documents: DocumentCounters, into page: inout PrometheusText) {
        page.counters(
            "martlet_documents_total", "Documents that clients were given or have changed.",
            [
                ("returned", documents.returned.value), ("inserted", documents.inserted.value),
                ("updated", documents.updated.value), ("deleted", documents.deleted.value),
            ].map { (["event": $0.0], $0.1) })
        let usage = CollectionUsage.all
        page.counters(
            "martlet_examined_total", "Keys and documents that queries have looked at.",
            [("keys", usage.keysExamined.value), ("documents", usage.documentsExamined.value)].map {
                (["what": $0.0], $0.1)
            })
        page.counter(
            "martlet_collection_scans_total", "Queries that had no keys to go by.", usage.scans.value)
    }
}
