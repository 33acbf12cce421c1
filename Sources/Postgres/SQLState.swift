/// The five-character code of a PostgreSQL error; an open set.
///
/// Packed six bits a character as PostgreSQL packs it (`MAKE_SQLSTATE`), so that comparing is one instruction.
/// The codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
package struct SQLState: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    package init(_ code: StaticString) {
        self.init(UnsafeRawBufferPointer(start: code.utf8Start, count: code.utf8CodeUnitCount))
    }

    /// Bytes that are not five characters of a code become `.none`, a code the server never sends.
    package init(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count == 5 else {
            self = .none
            return
        }
        rawValue = bytes.enumerated().reduce(0) { $0 | ((UInt32($1.element) &- 48) & 63) << (6 * UInt32($1.offset)) }
    }

    /// The first two characters: the class of the error, as `SQLState` with zeros after them.
    package var errorClass: SQLState { SQLState(rawValue: rawValue & 0xFFF) }

    package static func ~= (pattern: SQLState, state: SQLState) -> Bool { pattern.rawValue == state.rawValue }
}

extension SQLState: CustomStringConvertible {
    package var description: String {
        String(decoding: (0..<5).map { UInt8(truncatingIfNeeded: (rawValue >> (6 * $0)) & 63) &+ 48 }, as: UTF8.self)
    }
}

extension SQLState {
    package static let none = SQLState(rawValue: 0)

    package static let connectionException = SQLState("08000")
    package static let featureNotSupported = SQLState("0A000")
    package static let stringDataRightTruncation = SQLState("22001")
    package static let numericValueOutOfRange = SQLState("22003")
    package static let characterNotInRepertoire = SQLState("22021")
    package static let notNullViolation = SQLState("23502")
    package static let uniqueViolation = SQLState("23505")
    package static let checkViolation = SQLState("23514")
    package static let activeSQLTransaction = SQLState("25001")
    package static let readOnlySQLTransaction = SQLState("25006")
    package static let noActiveSQLTransaction = SQLState("25P01")
    package static let inFailedSQLTransaction = SQLState("25P02")
    package static let idleInTransactionSessionTimeout = SQLState("25P03")
    package static let invalidSQLStatementName = SQLState("26000")
    package static let invalidAuthorization = SQLState("28000")
    package static let invalidPassword = SQLState("28P01")
    package static let invalidCursorName = SQLState("34000")
    package static let invalidCatalogName = SQLState("3D000")
    package static let invalidSchemaName = SQLState("3F000")
    package static let serializationFailure = SQLState("40001")
    package static let transactionIntegrityViolation = SQLState("40002")
    package static let statementCompletionUnknown = SQLState("40003")
    package static let deadlockDetected = SQLState("40P01")
    package static let insufficientPrivilege = SQLState("42501")
    package static let syntaxError = SQLState("42601")
    package static let undefinedColumn = SQLState("42703")
    package static let undefinedFunction = SQLState("42883")
    package static let undefinedTable = SQLState("42P01")
    package static let duplicateTable = SQLState("42P07")
    package static let undefinedObject = SQLState("42704")
    package static let duplicateObject = SQLState("42710")
    package static let duplicateDatabase = SQLState("42P04")
    package static let insufficientResources = SQLState("53000")
    package static let diskFull = SQLState("53100")
    package static let outOfMemory = SQLState("53200")
    package static let tooManyConnections = SQLState("53300")
    package static let programLimitExceeded = SQLState("54000")
    package static let objectNotInPrerequisiteState = SQLState("55000")
    package static let objectInUse = SQLState("55006")
    package static let lockNotAvailable = SQLState("55P03")
    package static let queryCanceled = SQLState("57014")
    package static let adminShutdown = SQLState("57P01")
    package static let crashShutdown = SQLState("57P02")
    package static let cannotConnectNow = SQLState("57P03")
    package static let databaseDropped = SQLState("57P04")
    package static let idleSessionTimeout = SQLState("57P05")
    package static let ioError = SQLState("58030")
    package static let snapshotTooOld = SQLState("72000")
    package static let dataCorrupted = SQLState("XX001")
    package static let indexCorrupted = SQLState("XX002")
}
