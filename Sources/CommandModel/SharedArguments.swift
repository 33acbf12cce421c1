package import BSON
package import NIOCore

/// The arguments that every command accepts: database, session, concerns, time limit, comment, API version.
package struct SharedArguments: Sendable {
    package var database = "admin"
    package var sessionID: LogicalSessionID?
    package var transactionNumber: Int64?
    package var startsTransaction = false
    /// `autocommit: false` marks every statement of a multi-document transaction.
    package var isInTransaction = false
    package var readConcern: ReadConcern?
    package var writeConcern: WriteConcern?
    package var readPreference: String?
    /// 0 means no limit.
    package var maxTimeMilliseconds: Int64 = 0
    package var comment: Value?
    package var apiVersion: String?
    package var apiStrict = false

    package init() {}

    init(_ body: RawDocument) throws(CommandError) {
        var fields = body.makeIterator()
        let command = fields.next()?.key
        while let field = fields.next() {
            try take(field, of: command ?? field.key)
        }
        try checkConsistency()
    }

    package static func contains(_ key: RawKey) -> Bool {
        switch key {
        case "$db", "lsid", "txnNumber", "autocommit", "startTransaction", "readConcern", "writeConcern",
            "$readPreference", "$clusterTime", "maxTimeMS", "comment", "apiVersion", "apiStrict",
            "apiDeprecationErrors", "$audit", "$client", "$configServerState", "$queryOptions", "$oplogQueryData",
            "$replData", "$tenant", "maxTimeMSOpOnly", "coordinator", "allowImplicitCollectionCreation",
            "mayBypassWriteBlocking", "shardVersion", "databaseVersion", "rawData", "stmtId", "stmtIds":
            true
        default: false
        }
    }

    private mutating func take(_ field: RawElement, of command: RawKey) throws(CommandError) {
        let value = field.value
        switch field.key {
        case "$db":
            guard let name = value.string else { throw Self.wrong(field, "string") }
            database = name
        case "lsid": sessionID = try LogicalSessionID(value)
        case "txnNumber":
            guard let number = value.int64 else { throw Self.wrong(field, "long") }
            transactionNumber = number
        case "autocommit":
            guard let flag = value.bool else { throw Self.wrong(field, "bool") }
            guard !flag else { throw CommandError(.invalidOptions, "autocommit: true is not allowed") }
            isInTransaction = true
        case "startTransaction":
            guard value.bool == true else {
                throw CommandError(.invalidOptions, "Specifying startTransaction=false is not allowed.")
            }
            startsTransaction = true
        case "readConcern": readConcern = try ReadConcern(value)
        case "writeConcern": writeConcern = try WriteConcern(value)
        case "$readPreference": readPreference = value.document?["mode"]?.string
        case "maxTimeMS": maxTimeMilliseconds = try Self.timeLimit(value)
        case "comment": comment = Value(copying: value)
        case "apiVersion":
            guard let version = value.string else { throw Self.wrong(field, "string") }
            apiVersion = version
        case "apiStrict":
            guard let strict = value.bool else { throw Self.wrong(field, "bool") }
            apiStrict = strict
        case "apiDeprecationErrors":
            guard value.bool != nil else { throw Self.wrong(field, "bool") }
        case "$clusterTime":
            guard value.document != nil else { throw Self.wrong(field, "object") }
        default: break
        }
    }

    private func checkConsistency() throws(CommandError) {
        if let apiVersion, apiVersion != "1" {
            throw CommandError(.apiVersionError, "API version must be \"1\"")
        }
        if apiStrict, apiVersion == nil {
            throw CommandError(.apiVersionError, "apiStrict requires apiVersion to be set")
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
            throw CommandError(.badValue, "maxTimeMS has non-integral value")
        }
        guard milliseconds >= 0, milliseconds <= Int64(Int32.max) else {
            throw CommandError(.badValue, "\(milliseconds) value for maxTimeMS is out of range [0, \(Int32.max)]")
        }
        return milliseconds
    }

    private static func wrong(_ field: RawElement, _ expected: String) -> CommandError {
        .wrongType(field.key.string, field.value, expected: expected)
    }
}

/// A logical session: the UUID that the driver made.
///
/// Source: specifications/source/sessions/driver-sessions.md
package struct LogicalSessionID: Sendable, Hashable {
    /// 16 bytes.
    package let uuid: [UInt8]

    package init(uuid: [UInt8]) {
        self.uuid = uuid
    }

    package init(_ value: RawValue) throws(CommandError) {
        guard let document = value.document else {
            throw CommandError.wrongType("lsid", value, expected: "object")
        }
        guard let id = document["id"] else {
            throw CommandError(.idlMissingField, "BSON field 'lsid.id' is missing but a required field")
        }
        guard let (subtype, data) = id.binary, subtype == 4 else {
            throw CommandError(.typeMismatch, "BSON field 'lsid.id' is the wrong type, expected type 'UUID'")
        }
        guard data.count == 16 else {
            throw CommandError(
                ErrorCode(207, "InvalidUUID"), "uuid must be a 16-byte binary field with UUID (4) subtype")
        }
        uuid = Array(data)
    }
}
