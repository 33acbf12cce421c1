-- Leases: which of the servers that share this database does a piece of background work.
--
--   holder      who: host, process and run, for people
--   token       grows with each holder and never goes back, not even when the lease is given up
--   expires_at  when another may take it, by the clock of this PostgreSQL
--
-- A lease that was given up keeps its row, because the row is what keeps the token growing.
CREATE TABLE martlet.leases (
    name       text COLLATE "C" PRIMARY KEY,
    holder     text NOT NULL,
    token      bigint NOT NULL,
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Takes a lease that nobody has: its new token, or NULL when another holder's time is not over. A holder that asks
-- again gets a new token, too: what it sent under the old one is void. clock_timestamp() and not now(), which stands
-- still while the row is waited for.
CREATE FUNCTION martlet.acquire_lease(in_name text, in_holder text, in_milliseconds bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    new_token bigint;
BEGIN
    -- Who waits for its turn only looks: no lock, no dead row.
    PERFORM FROM martlet.leases
      WHERE name = in_name AND holder <> in_holder AND expires_at > clock_timestamp();
    IF FOUND THEN RETURN NULL; END IF;

    INSERT INTO martlet.leases AS l (name, holder, token, expires_at)
        VALUES (in_name, in_holder, 1, clock_timestamp() + in_milliseconds * interval '1 millisecond')
        ON CONFLICT (name) DO UPDATE
            SET holder = in_holder, token = l.token + 1,
                expires_at = clock_timestamp() + in_milliseconds * interval '1 millisecond'
            WHERE l.holder = in_holder OR l.expires_at <= clock_timestamp()
        RETURNING l.token INTO new_token;
    RETURN new_token;
END $$;

-- Prolongs a lease that is still held; false when it has ended, even if nobody has taken it yet.
CREATE FUNCTION martlet.renew_lease(in_name text, in_token bigint, in_milliseconds bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE martlet.leases SET expires_at = clock_timestamp() + in_milliseconds * interval '1 millisecond'
     WHERE name = in_name AND token = in_token AND expires_at > clock_timestamp();
    RETURN FOUND;
END $$;

-- Gives a lease up before its time, so that another need not wait for its end.
CREATE FUNCTION martlet.release_lease(in_name text, in_token bigint) RETURNS void
LANGUAGE sql AS $$
    UPDATE martlet.leases SET expires_at = '-infinity' WHERE name = in_name AND token = in_token;
$$;

-- The fence: to be called in the transaction of every write that is done under a lease, before the write. The row stays
-- locked until that transaction ends, so that the lease cannot move on between this check and the commit; a
-- transaction that comes too late fails with MT002.
CREATE FUNCTION martlet.check_lease(in_name text, in_token bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM martlet.leases
      WHERE name = in_name AND token = in_token AND expires_at > clock_timestamp() FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the lease % has moved on from token %', in_name, in_token USING ERRCODE = 'MT002';
    END IF;
END $$;
