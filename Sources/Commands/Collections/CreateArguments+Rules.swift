internal import CommandModel

extension CreateArguments {
    /// Which options exclude each other.
    ///
    /// - Parameter now: seconds since 1970; nothing can expire before that.
    func checkTogether(now: Int64) throws(CommandError) {
        try checkClustered()
        try checkCapped()
        try checkTimeseries()
        try checkView()
        try checkEncrypted()
        try checkExpiry(now: now)
        try checkSystemName()
        try idIndex?.check(against: collator)
    }

    private func checkClustered() throws(CommandError) {
        guard let clusteredIndex else { return }
        if isCapped { throw CommandError(ErrorCode(6_049_200), "a clustered collection cannot be capped") }
        guard case .specification = clusteredIndex else { return }
        if max != nil { throw CommandError(ErrorCode(6_049_204), "a clustered collection does not support 'max'") }
        if viewOn != nil { throw CommandError(ErrorCode(6_026_500), "a view has no clustered index") }
        if idIndex != nil { throw Self.conflict("clusteredIndex", "idIndex") }
    }

    private func checkCapped() throws(CommandError) {
        if isCapped, size == nil {
            throw CommandError(.invalidOptions, "the 'size' field is required when 'capped' is true")
        }
        guard isCapped || (size == nil && max == nil) else {
            throw CommandError(
                .invalidOptions,
                "the 'capped' field needs to be true when either the 'size' or 'max' fields are present")
        }
    }

    private func checkTimeseries() throws(CommandError) {
        guard timeseries != nil else { return }
        let others: [(Bool, StaticString)] = [
            (isCapped, "capped"), (clusteredIndex != nil, "clusteredIndex"), (viewOn != nil, "viewOn"),
            (pipeline != nil, "pipeline"), (hasValidator, "validator"), (hasValidationLevel, "validationLevel"),
            (hasValidationAction, "validationAction"), (idIndex != nil, "idIndex"),
            (preImages != nil, "changeStreamPreAndPostImages"),
        ]
        for (isPresent, other) in others where isPresent { throw Self.conflict("timeseries", other) }
    }

    private func checkView() throws(CommandError) {
        guard viewOn != nil else {
            if pipeline != nil {
                throw CommandError(.invalidOptions, "'pipeline' requires 'viewOn' to also be specified")
            }
            return
        }
        if idIndex != nil { throw Self.conflict("viewOn", "idIndex") }
        if preImages == true { throw Self.conflict("viewOn", "changeStreamPreAndPostImages") }
        if viewOn == namespace.collection {
            throw CommandError(ErrorCode(5, "GraphContainsCycle"), "View cycle detected: \(namespace)")
        }
    }

    private func checkEncrypted() throws(CommandError) {
        guard encryptedFields != nil else { return }
        guard viewOn == nil, timeseries == nil else {
            throw CommandError(
                ErrorCode(6_346_401), "'encryptedFields' is not allowed with 'viewOn' or 'timeseries'")
        }
        guard !isCapped else {
            throw CommandError(ErrorCode(6_367_301), "'encryptedFields' is not allowed with 'capped'")
        }
    }

    private func checkExpiry(now: Int64) throws(CommandError) {
        guard let expireAfterSeconds else { return }
        var isClustered = false
        if case .specification? = clusteredIndex { isClustered = true }
        guard timeseries != nil || isClustered else {
            throw CommandError(
                .invalidOptions, "'expireAfterSeconds' is only supported on time series and clustered collections")
        }
        guard (0...now).contains(expireAfterSeconds) else {
            throw CommandError(
                .invalidOptions, "'expireAfterSeconds' must be from 0 to the seconds since 1970: \(expireAfterSeconds)")
        }
    }

    private func checkSystemName() throws(CommandError) {
        let isBucket = namespace.collection.utf8.starts(with: "system.buckets.".utf8)
        guard timeseries == nil || !isBucket else { return }
        try SystemCollections.check(namespace)
    }

    private static func conflict(_ one: StaticString, _ other: StaticString) -> CommandError {
        CommandError(.invalidOptions, "'\(one)' is not allowed with '\(other)'")
    }
}

enum SystemCollections {
    /// Refuses the system collections that a client may not create.
    static func check(_ namespace: Namespace) throws(CommandError) {
        let name = namespace.collection
        guard name.utf8.starts(with: "system.".utf8), !names.contains(name) else { return }
        guard !name.utf8.starts(with: "system.buckets.".utf8) else {
            throw CommandError(.illegalOperation, "\(namespace) holds the buckets of a time series")
        }
        throw CommandError(.invalidNamespace, "Invalid system namespace: \(namespace)")
    }

    private static let names: Set<String> = [
        "system.healthlog", "system.js", "system.keys", "system.profile", "system.roles", "system.sessions",
        "system.users", "system.version", "system.views",
    ]
}
