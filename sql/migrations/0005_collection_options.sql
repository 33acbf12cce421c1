-- Changes the options of a collection, if they are still `old_options`: 'ok', 'missing' (no such collection) or
-- 'changed' (somebody else was faster). The table gets a new number, because the options say which documents it may
-- hold: a server with a stale catalog entry must not write by the old ones. The UUID stays.
CREATE FUNCTION martlet.change_options(
    in_database text, in_name text, old_options bytea, new_options bytea
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    present record;
    new_number bigint;
BEGIN
    SELECT number, options INTO present FROM martlet.collections
     WHERE database = in_database AND name = in_name FOR UPDATE;
    IF present IS NULL THEN RETURN 'missing'; END IF;
    IF present.options <> old_options THEN RETURN 'changed'; END IF;
    UPDATE martlet.collections SET number = DEFAULT, options = new_options WHERE number = present.number
        RETURNING number INTO new_number;
    EXECUTE format('ALTER TABLE martlet.documents_%s RENAME TO documents_%s', present.number, new_number);
    EXECUTE format('ALTER TABLE martlet.documents_%s RENAME CONSTRAINT documents_%s_id TO documents_%s_id',
                   new_number, present.number, new_number);
    EXECUTE format('ALTER INDEX martlet.documents_%s_rid RENAME TO documents_%s_rid', present.number, new_number);
    RETURN 'ok';
END $$;
