-- How queries of some shapes are to be answered, for all servers on this database.
--
-- The servers keep all of it in memory, since every query asks, and read it anew when `version` has changed, which they
-- look at every few seconds. So there is one row of versions, which whoever changes a setting changes first: changes
-- come one after the other, and no version is seen before what it stands for.
--
--   hash    of the shape of the queries, as the server makes it
--   entry   BSON: {db, coll, query, settings}; `query` is one of that shape
CREATE TABLE martlet.query_settings (
    hash  bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    entry bytea NOT NULL
);

CREATE TABLE martlet.query_settings_version (version bigint NOT NULL);
INSERT INTO martlet.query_settings_version VALUES (1);

-- Puts `new_entry` in the place of `old_entry`; NULL stands for none. False when something else is there.
CREATE FUNCTION martlet.change_query_settings(in_hash bytea, old_entry bytea, new_entry bytea) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE martlet.query_settings_version SET version = version + 1;
    IF (SELECT entry FROM martlet.query_settings WHERE hash = in_hash) IS DISTINCT FROM old_entry THEN
        RETURN false;
    END IF;
    IF new_entry IS NULL THEN
        DELETE FROM martlet.query_settings WHERE hash = in_hash;
    ELSE
        INSERT INTO martlet.query_settings (hash, entry) VALUES (in_hash, new_entry)
            ON CONFLICT (hash) DO UPDATE SET entry = EXCLUDED.entry;
    END IF;
    RETURN true;
END $$;
