package import BSON

/// The arguments that every command accepts: database, session, concerns, time limit, comment, API version.
package struct SharedArguments: Sendable {
    package var database = "admin"
    package var sessionID: LogicalSessionID?
    package var transactionNumber: Int64?
    /// The numbers of the statements, for retries: given one by one, or from the first.
    private var statementNumbers: [Int32]?
    private var firstStatementNumber: Int32 = 0
    package var startsTransaction = false
    /// `autocommit: false` marks every statement of a multi-document transaction.
    package var isInTransaction = false
    package var readConcern: ReadConcern?
    package var writeConcern: WriteConcern?
    package var readPreference: String?
    /// A tag set of the read preference asks for `nodeType: ANALYTICS`.
    package var asksForAnalytics = false
    /// `maxTimeMS`, if given.
    package var timeLimit: Int64?
    package var comment: Value?
    /// The newest time of the deployment that the client has heard of.
    package var clusterTime: UInt64?
    /// `help: true`: the command is not to run, but to say what it does.
    package private(set) var asksForHelp = false
    package var apiVersion: String?
    package var apiStrict = false
    private var needsAPIVersion = false

    package init() {}

    /// 0 means no limit.
    package var maxTimeMilliseconds: Int64 { timeLimit ?? 0 }

    init(_ body: RawDocument) throws(CommandError) {
        var fields = body.makeIterator()
        // The first field is the command's name.
        _ = fields.next()
        while let field = fields.next() { try take(field) }
        try checkConsistency()
    }

    package static func contains(_ key: RawKey) -> Bool {
        switch key {
        case "$db", "lsid", "txnNumber", "autocommit", "startTransaction", "readConcern", "writeConcern",
            "$readPreference", "$clusterTime", "maxTimeMS", "comment", "apiVersion", "apiStrict",
            "apiDeprecationErrors", "$audit", "$client", "$configServerState", "$queryOptions", "$oplogQueryData",
            "$replData", "$tenant", "maxTimeMSOpOnly", "coordinator", "allowImplicitCollectionCreation",
            "mayBypassWriteBlocking", "shardVersion", "databaseVersion", "rawData", "stmtId", "stmtIds", "help":
            true
        default: false
        }
    }

    private mutating func take(_ field: RawElement) throws(CommandError) {
        let argument = Argument(command: "", key: field.key, value: field.value)
        switch field.key {
        case "$db":
            guard let name = field.value.string else { throw Self.wrong(field, "string") }
            database = name
        case "comment": comment = Value(copying: field.value)
        case _ where argument.isOmitted: return
        case "lsid", "txnNumber", "autocommit", "startTransaction": try takeSession(field)
        case "readConcern": readConcern = try ReadConcern(field.value)
        case "writeConcern": writeConcern = try WriteConcern(field.value)
        case "$readPreference":
            readPreference = try Self.readPreferenceMode(field)
            asksForAnalytics = Self.asksForAnalytics(field.value)
        case "stmtId", "stmtIds": try takeStatementNumbers(field)
        case "maxTimeMS": timeLimit = try Self.timeLimit(field.value)
        case "help": asksForHelp = field.value.bool ?? field.value.number.map { !$0.isZero } ?? false
        case "apiVersion", "apiStrict", "apiDeprecationErrors": try takeAPI(field)
        case "$clusterTime":
            guard let document = field.value.document else { throw Self.wrong(field, "object") }
            clusterTime = document["clusterTime"]?.timestamp
        default: break
        }
    }

    private mutating func takeSession(_ field: RawElement) throws(CommandError) {
        let value = field.value
        switch field.key {
        case "lsid": sessionID = try LogicalSessionID(value)
        case "txnNumber":
            guard let number = value.int64 else { throw Self.wrong(field, "long") }
            transactionNumber = number
        case "autocommit":
            guard let flag = value.bool else { throw Self.wrong(field, "bool") }
            guard !flag else { throw CommandError(.invalidOptions, "autocommit: true is not allowed") }
            isInTransaction = true
        default:
            guard value.bool == true else {
                throw CommandError(.invalidOptions, "Specifying startTransaction=false is not allowed.")
            }
            startsTransaction = true
        }
    }

    private mutating func takeStatementNumbers(_ field: RawElement) throws(CommandError) {
        if field.key == "stmtId" {
            firstStatementNumber = try Self.statementNumber(field)
            return
        }
        guard let array = field.value.array else { throw Self.wrong(field, "array") }
        var numbers: [Int32] = []
        for element in array { numbers.append(try Self.statementNumber(element)) }
        statementNumbers = numbers
    }

    private static func statementNumber(_ field: RawElement) throws(CommandError) -> Int32 {
        guard let number = field.value.int32 else { throw wrong(field, "int") }
        guard (0...statementNumberMax).contains(number) else {
            throw CommandError(.badValue, "a statement's number must be 0 to \(statementNumberMax), not \(number)")
        }
        return number
    }

    /// Leaves room to count on from there through the longest command.
    private static let statementNumberMax: Int32 = 1 << 30

    /// The number of the statement at a position of its command.
    package func statementNumber(at position: Int) -> Int32 {
        if let statementNumbers, statementNumbers.indices.contains(position) { return statementNumbers[position] }
        return firstStatementNumber &+ Int32(clamping: position)
    }

    private mutating func takeAPI(_ field: RawElement) throws(CommandError) {
        if field.key == "apiVersion" {
            guard let version = field.value.string else { throw Self.wrong(field, "string") }
            apiVersion = version
            return
        }
        guard let flag = field.value.bool else { throw Self.wrong(field, "bool") }
        if field.key == "apiStrict" { apiStrict = flag }
        needsAPIVersion = true
    }

    private func checkConsistency() throws(CommandError) {
        if let apiVersion, apiVersion != "1" {
            throw CommandError(.apiVersionError, "API version must be \"1\"")
        }
        if needsAPIVersion, apiVersion == nil {
            throw CommandError(
                .apiVersionRequired, "Provided apiStrict and/or apiDeprecationErrors without passing apiVersion")
        }
        if transactionNumber != nil, sessionID == nil {
            throw CommandError(.invalidOptions, "Transaction number requires a session ID to also be specified")
        }
        if isInTransaction, transactionNumber == nil {
            throw CommandError(.invalidOptions, "'autocommit' field requires a transaction number to also be specified")
        }
        if startsTransaction, !isInTransaction {
            throw CommandError(
                .invalidOptions, "'startTransaction' field requires 'autocommit' field to also be specified")
        }
        if let transactionNumber, transactionNumber < 0 {
            throw CommandError(.invalidOptions, "Transaction number cannot be negative")
        }
    }

    private static func timeLimit(_ value: RawValue) throws(CommandError) -> Int64 {
        guard let number = value.number else {
            throw CommandError(.typeMismatch, "maxTimeMS must be a number")
        }
        guard let milliseconds = number.asInt64Exact else {
            throw CommandError(.failedToParse, "maxTimeMS has non-integral value")
        }
        guard milliseconds >= 0, milliseconds <= Int64(Int32.max) else {
            throw CommandError(.badValue, "\(milliseconds) value for maxTimeMS is out of range [0, \(Int32.max)]")
        }
        return milliseconds
    }

    /// There is one member, which serves every mode; who prefers secondaries is served by the analytics pool.
    private static func readPreferenceMode(_ field: RawElement) throws(CommandError) -> String {
        guard let preference = field.value.document else { throw wrong(field, "object") }
        guard let mode = preference["mode"] else {
            throw CommandError(.noSuchKey, "Missing expected field \"mode\" in $readPreference")
        }
        guard let word = mode.string else { throw .wrongType("$readPreference.mode", mode, expected: "string") }
        guard readPreferenceModes.contains(word) else {
            throw CommandError(
                .failedToParse,
                "Could not parse $readPreference mode '\(word)'. Only the modes '"
                    + readPreferenceModes.joined(separator: "', '") + "' are supported.")
        }
        return word
    }

    private static func asksForAnalytics(_ preference: RawValue) -> Bool {
        guard let tagSets = preference.document?["tags"]?.array else { return false }
        return tagSets.contains { $0.value.document?["nodeType"]?.string == "ANALYTICS" }
    }

    private static let readPreferenceModes = [
        "primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest",
    ]

    private static func wrong(_ field: RawElement, _ expected: String) -> CommandError {
        .wrongType(field.key.string, field.value, expected: expected)
    }
}
