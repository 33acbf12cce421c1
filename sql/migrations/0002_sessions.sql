-- What retried writes are recognized by: one row for each client session that has written, and one for each
-- idempotency key of an application. A write records itself here in the transaction of its effect, so that there is
-- never one without the other.
--
--   lsid        16 bytes: the UUID of a session; 32 bytes: the hash of an idempotency key
--   txn_number  the newest number that the client has given to a write or to a transaction of the session
--   step        how many recordings of that number `results` holds
--   results     the recordings, one after the other: which statements took effect, and what was answered
--   expires_at  when nobody will ask any more
--
-- fillfactor leaves room on each page: a session's row is updated in place (HOT) with each of its writes.
CREATE TABLE martlet.sessions (
    lsid       bytea NOT NULL,
    txn_number bigint NOT NULL,
    step       integer NOT NULL,
    results    bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT sessions_lsid PRIMARY KEY (lsid)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

-- Ends the transaction of a write whose statement was recorded before, or whose session has a newer number: called
-- where a recording finds the row of its session in a state that it does not follow on.
CREATE FUNCTION martlet.refuse_statement(found_number bigint, found_step integer) RETURNS integer
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the session is at number %, step %', found_number, found_step USING ERRCODE = 'MT001';
END $$;
