internal import CommandModel
internal import Storage

extension SharedArguments {
    /// Where the client wants its read to go. A replica may lag, so it serves only those who ask for nothing newer.
    var routing: ReadRouting.Preference {
        let prefersOthers = readPreference == "secondary" || readPreference == "secondaryPreferred"
        guard prefersOthers || asksForAnalytics else { return .bySize }
        let mustBeCurrent = readConcern?.afterClusterTime != nil || readConcern?.level == .linearizable
        return mustBeCurrent ? .secondaryButCurrent : .secondary
    }
}
