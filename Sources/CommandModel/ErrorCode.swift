/// A MongoDB error code with its name. An open set: a code without a name is shown as `Location<number>`.
///
/// Source of numbers and names: what drivers and their specifications publish.
package struct ErrorCode: Sendable, Hashable {
    package let number: Int32
    package let name: String

    package init(_ number: Int32, _ name: String? = nil) {
        self.number = number
        self.name = name ?? "Location\(number)"
    }

    /// One of those by which a server says that it is no longer, or not yet, who the client took it for: "not writable
    /// primary", "node is recovering" and "node is shutting down".
    ///
    /// Source: specifications/source/server-discovery-and-monitoring, state change errors.
    package var isStateChange: Bool {
        switch number {
        case 91, 189, 10058, 10107, 11600, 11602, 13435, 13436: true
        default: false
        }
    }

    package static func == (left: ErrorCode, right: ErrorCode) -> Bool { left.number == right.number }
    package func hash(into hasher: inout Hasher) { hasher.combine(number) }
}

extension ErrorCode {
    package static let internalError = ErrorCode(1, "InternalError")
    package static let badValue = ErrorCode(2, "BadValue")
    package static let noSuchKey = ErrorCode(4, "NoSuchKey")
    package static let hostUnreachable = ErrorCode(6, "HostUnreachable")
    package static let failedToParse = ErrorCode(9, "FailedToParse")
    package static let unauthorized = ErrorCode(13, "Unauthorized")
    package static let typeMismatch = ErrorCode(14, "TypeMismatch")
    package static let overflow = ErrorCode(15, "Overflow")
    package static let invalidLength = ErrorCode(16, "InvalidLength")
    package static let illegalOperation = ErrorCode(20, "IllegalOperation")
    package static let emptyArrayOperation = ErrorCode(21, "EmptyArrayOperation")
    package static let invalidBSON = ErrorCode(22, "InvalidBSON")
    package static let lockTimeout = ErrorCode(24, "LockTimeout")
    package static let namespaceNotFound = ErrorCode(26, "NamespaceNotFound")
    package static let indexNotFound = ErrorCode(27, "IndexNotFound")
    package static let pathNotViable = ErrorCode(28, "PathNotViable")
    package static let conflictingUpdateOperators = ErrorCode(40, "ConflictingUpdateOperators")
    package static let cursorNotFound = ErrorCode(43, "CursorNotFound")
    package static let namespaceExists = ErrorCode(48, "NamespaceExists")
    package static let maxTimeMSExpired = ErrorCode(50, "MaxTimeMSExpired")
    package static let dollarPrefixedFieldName = ErrorCode(52, "DollarPrefixedFieldName")
    package static let invalidIDField = ErrorCode(53, "InvalidIdField")
    package static let notSingleValueField = ErrorCode(54, "NotSingleValueField")
    package static let emptyFieldName = ErrorCode(56, "EmptyFieldName")
    package static let dottedFieldName = ErrorCode(57, "DottedFieldName")
    package static let commandNotFound = ErrorCode(59, "CommandNotFound")
    package static let immutableField = ErrorCode(66, "ImmutableField")
    package static let cannotCreateIndex = ErrorCode(67, "CannotCreateIndex")
    package static let invalidOptions = ErrorCode(72, "InvalidOptions")
    package static let invalidNamespace = ErrorCode(73, "InvalidNamespace")
    package static let writeConcernFailed = ErrorCode(64, "WriteConcernFailed")
    package static let unknownReplWriteConcern = ErrorCode(79, "UnknownReplWriteConcern")
    package static let shutdownInProgress = ErrorCode(91, "ShutdownInProgress")
    package static let operationFailed = ErrorCode(96, "OperationFailed")
    package static let unsatisfiableWriteConcern = ErrorCode(100, "UnsatisfiableWriteConcern")
    package static let queryFeatureNotAllowed = ErrorCode(224, "QueryFeatureNotAllowed")
    package static let notARetryableWriteCommand = ErrorCode(50768, "NotARetryableWriteCommand")
    package static let writeConflict = ErrorCode(112, "WriteConflict")
    package static let commandNotSupported = ErrorCode(115, "CommandNotSupported")
    package static let conflictingOperationInProgress = ErrorCode(117, "ConflictingOperationInProgress")
    package static let documentValidationFailure = ErrorCode(121, "DocumentValidationFailure")
    package static let commandNotSupportedOnView = ErrorCode(166, "CommandNotSupportedOnView")
    package static let optionNotSupportedOnView = ErrorCode(167, "OptionNotSupportedOnView")
    package static let interruptedAtShutdown = ErrorCode(11600, "InterruptedAtShutdown")
    package static let interrupted = ErrorCode(11601, "Interrupted")
    package static let primarySteppedDown = ErrorCode(189, "PrimarySteppedDown")
    package static let queryPlanKilled = ErrorCode(175, "QueryPlanKilled")
    package static let transactionTooOld = ErrorCode(225, "TransactionTooOld")
    package static let exceededMemoryLimit = ErrorCode(146, "ExceededMemoryLimit")
    package static let notImplemented = ErrorCode(238, "NotImplemented")
    package static let noSuchTransaction = ErrorCode(251, "NoSuchTransaction")
    package static let operationNotSupportedInTransaction = ErrorCode(263, "OperationNotSupportedInTransaction")
    package static let clientDisconnect = ErrorCode(279, "ClientDisconnect")
    package static let noQueryExecutionPlans = ErrorCode(291, "NoQueryExecutionPlans")
    package static let queryExceededMemoryLimitNoDiskUseAllowed =
        ErrorCode(292, "QueryExceededMemoryLimitNoDiskUseAllowed")
    package static let apiVersionError = ErrorCode(322, "APIVersionError")
    package static let apiStrictError = ErrorCode(323, "APIStrictError")
    package static let ingressRequestRateLimitExceeded = ErrorCode(462, "IngressRequestRateLimitExceeded")
    package static let notWritablePrimary = ErrorCode(10107, "NotWritablePrimary")
    package static let bsonObjectTooLarge = ErrorCode(10334, "BSONObjectTooLarge")
    package static let duplicateKey = ErrorCode(11000, "DuplicateKey")
    package static let apiVersionRequired = ErrorCode(4_886_600)
    package static let idlFailedToParse = ErrorCode(40415, "Location40415")
    package static let idlMissingField = ErrorCode(40414, "Location40414")
    package static let idlDuplicateField = ErrorCode(40413, "Location40413")
}
