internal import NIOCore
internal import Postgres
package import SQL

/// The statements on `martlet.sessions`.
enum GuardSQL {
    static let load = """
        SELECT txn_number, step, results FROM martlet.sessions WHERE lsid = $1 AND expires_at > now()
        """

    /// Writes recordings over the rows of their sessions. `source` selects lsid, txn_number, step, results, lifetime;
    /// a recording that does not follow on the session's row ends the transaction.
    static func recording(_ source: String) -> String {
        """
        INSERT INTO martlet.sessions AS s (lsid, txn_number, step, results, expires_at) \(source) \
        ON CONFLICT (lsid) DO UPDATE SET txn_number = excluded.txn_number, \
        step = CASE WHEN s.txn_number = excluded.txn_number AND s.step = excluded.step - 1 \
        OR excluded.step = 1 AND (s.txn_number < excluded.txn_number OR s.expires_at <= now()) \
        THEN excluded.step ELSE martlet.refuse_statement(s.txn_number, s.step) END, \
        results = CASE WHEN excluded.step = 1 THEN excluded.results ELSE s.results || excluded.results END, \
        expires_at = excluded.expires_at
        """
    }

    /// One recording, if the step `stored` of the statement gave a row. Its parameters begin at `$first`.
    static func recordingOneStored(first: Int) -> String {
        let source = """
            SELECT $\(first)::bytea, $\(first + 1)::bigint, $\(first + 2)::integer, $\(first + 3)::bytea, \
            now() + make_interval(secs => $\(first + 4)::integer) FROM stored
            """
        return recording(source)
    }

    /// Several recordings, of different sessions, if `stored` gave a row.
    static func recordingManyStored(first: Int) -> String {
        recording(rows(first: first) + " WHERE EXISTS (SELECT FROM stored) ORDER BY r.lsid")
    }

    /// Recordings of what other statements of the transaction have done.
    static let recordings = recording(rows(first: 1) + " ORDER BY r.lsid")

    /// In the order of the sessions, so that two transactions do not wait for each other.
    private static func rows(first: Int) -> String {
        """
        SELECT r.lsid, r.txn_number, r.step, r.results, now() + make_interval(secs => r.lifetime) \
        FROM unnest($\(first)::bytea[], $\(first + 1)::bigint[], $\(first + 2)::integer[], $\(first + 3)::bytea[], \
        $\(first + 4)::integer[]) AS r (lsid, txn_number, step, results, lifetime)
        """
    }
}

/// A claim with what is to be recorded for it.
struct ClaimedResult: Sendable {
    let claim: StatementClaim
    let recordings: [Recording]

    init(_ claim: StatementClaim, _ recordings: [Recording]) {
        self.claim = claim
        self.recordings = recordings
    }

    var bytes: ByteBuffer {
        var buffer = ByteBuffer()
        if claim.step == 1, let fingerprint = claim.identity.fingerprint {
            Recording.fingerprint(fingerprint).write(into: &buffer)
        }
        for recording in recordings { recording.write(into: &buffer) }
        return buffer
    }
}

extension Array where Element == ClaimedResult {
    /// The five parameters of the recording statements: scalars for one claim, arrays for more.
    var parameters: [Parameter] {
        if count == 1 {
            let identity = self[0].claim.identity
            return [
                .bytea(identity.key), .int8(identity.number), .int4(self[0].claim.step), .bytea(self[0].bytes),
                .int4(identity.lifetimeSeconds),
            ]
        }
        return arrayParameters
    }

    var arrayParameters: [Parameter] {
        [
            .byteaArray(map(\.claim.identity.key)), .int8Array(map(\.claim.identity.number)),
            .int4Array(map(\.claim.step)), .byteaArray(map(\.bytes)),
            .int4Array(map(\.claim.identity.lifetimeSeconds)),
        ]
    }

    /// Records them as a statement of its own.
    var statement: Statement { Statement(GuardSQL.recordings, arrayParameters) }
}

extension RetryIdentity {
    /// Goes with the commit of the transaction of this number, so that the commit can be asked for again.
    package var commitRecord: Statement {
        [ClaimedResult(StatementClaim(identity: self, statement: 0, step: 1), [.committed])].statement
    }
}

extension SQLState {
    /// Raised by `martlet.refuse_statement`.
    static let statementRefused = SQLState("MT001")
}
