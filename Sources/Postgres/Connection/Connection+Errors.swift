internal import CLibPQ

extension Connection {
    /// Gives the connection up. Returns the error that everything outstanding on it reports from now on.
    @discardableResult
    func lose(_ error: PostgresError? = nil) -> PostgresError {
        if let lostError { return lostError }
        let lost = error ?? PostgresError(.connectionLost, "the connection to PostgreSQL broke: \(libraryMessage)")
        lostError = lost
        return lost
    }

    /// The error a result holds. One that ends the session (a FATAL of the server, or libpq's own words for a broken
    /// socket, which have no SQLSTATE) makes the connection lost.
    func error(of result: OpaquePointer) -> PostgresError {
        let fields = ErrorFields(result: result)
        let isFatal = fields.endsSession || (fields.state == .none && PQstatus(handle) != CONNECTION_OK)
        var error = PostgresError(
            isFatal ? .connectionLost : .server, fields.message, state: fields.state, detail: fields.detail,
            constraint: fields.constraint, table: fields.table)
        error.isStalePlan = fields.isStalePlan
        return isFatal ? lose(error) : error
    }
}

/// The fields of an error message, read from libpq.
private struct ErrorFields {
    let result: OpaquePointer

    func text(_ field: some BinaryInteger) -> String? {
        PQresultErrorField(result, Int32(field)).map { String(cString: $0) }
    }

    var state: SQLState {
        guard let code = PQresultErrorField(result, Int32(CLIBPQ_FIELD_SQLSTATE)) else { return .none }
        return SQLState(UnsafeRawBufferPointer(start: code, count: 5))
    }

    var message: String { text(CLIBPQ_FIELD_MESSAGE) ?? trimmedMessage(PQresultErrorMessage(result)) }
    var detail: String? { text(CLIBPQ_FIELD_DETAIL) }
    var constraint: String? { text(CLIBPQ_FIELD_CONSTRAINT) }
    var table: String? { text(CLIBPQ_FIELD_TABLE) }

    var endsSession: Bool {
        let severity = text(CLIBPQ_FIELD_SEVERITY)
        return severity == "FATAL" || severity == "PANIC"
    }

    /// "cached plan must not change result type" shares its code with everything unsupported and its text is
    /// translated; the function that raises it is neither.
    var isStalePlan: Bool {
        switch state {
        case .invalidSQLStatementName: true
        case .featureNotSupported: text(CLIBPQ_FIELD_SOURCE_FUNCTION) == "RevalidateCachedQuery"
        default: false
        }
    }
}
