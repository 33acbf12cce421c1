-- Only the first collection of a database waits for others, namely for the first ones of databases whose names differ
-- in case only; before, each creation waited for all. A client's transaction that creates a collection holds such a
-- lock until it ends.
--
-- A creation may also lose its collection to a drop between two of its steps; it then starts over.
CREATE OR REPLACE FUNCTION martlet.create_collection(
    in_database text, in_name text, in_options bytea,
    OUT number bigint, OUT uuid uuid, OUT options bytea, OUT created boolean, OUT clashing_database text
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    LOOP
        SELECT c.number, c.uuid, c.options, false INTO number, uuid, options, created
          FROM martlet.collections c WHERE c.database = in_database AND c.name = in_name;
        IF FOUND THEN RETURN; END IF;

        IF NOT EXISTS (SELECT FROM martlet.collections c WHERE c.database = in_database) THEN
            PERFORM martlet.lock_names_of(in_database);
            clashing_database := martlet.clashing_database(in_database);
            IF clashing_database IS NOT NULL THEN created := false; RETURN; END IF;
        END IF;

        INSERT INTO martlet.collections AS c (database, name, options) VALUES (in_database, in_name, in_options)
            ON CONFLICT (database, name) DO NOTHING
            RETURNING c.number, c.uuid, c.options, true INTO number, uuid, options, created;
        IF number IS NOT NULL THEN
            PERFORM martlet.create_documents_table(number);
            RETURN;
        END IF;
    END LOOP;
END $$;

-- Names of databases that differ in case only are one for this lock: the check for them needs it.
CREATE FUNCTION martlet.lock_names_of(in_database text) RETURNS void
LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtext('martlet.collections'), hashtext(lower(in_database)));
$$;

-- An existing database whose name differs from this one in case only: MongoDB refuses the second.
CREATE FUNCTION martlet.clashing_database(in_database text) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT c.database FROM martlet.collections c
     WHERE lower(c.database) = lower(in_database) AND c.database <> in_database LIMIT 1;
$$;

-- As before, and 'clash' for a target database whose name differs in case only from an existing one.
CREATE OR REPLACE FUNCTION martlet.rename_collection(
    from_database text, from_name text, to_database text, to_name text, drop_target boolean
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    old_number bigint;
    new_number bigint;
BEGIN
    -- In one order, so that two renames in opposite directions do not wait for each other.
    PERFORM martlet.lock_names_of(least(lower(from_database), lower(to_database)));
    PERFORM martlet.lock_names_of(greatest(lower(from_database), lower(to_database)));
    SELECT number INTO old_number FROM martlet.collections
     WHERE database = from_database AND name = from_name FOR UPDATE;
    IF old_number IS NULL THEN RETURN 'missing'; END IF;
    IF martlet.clashing_database(to_database) IS NOT NULL THEN RETURN 'clash'; END IF;
    IF EXISTS (SELECT FROM martlet.collections WHERE database = to_database AND name = to_name) THEN
        IF NOT drop_target THEN RETURN 'exists'; END IF;
        PERFORM martlet.drop_collection(to_database, to_name);
    END IF;
    INSERT INTO martlet.collections (database, name, uuid, options)
        SELECT to_database, to_name, uuid, options FROM martlet.collections WHERE number = old_number
        RETURNING number INTO new_number;
    DELETE FROM martlet.collections WHERE number = old_number;
    EXECUTE format('ALTER TABLE martlet.documents_%s RENAME TO documents_%s', old_number, new_number);
    EXECUTE format('ALTER TABLE martlet.documents_%s RENAME CONSTRAINT documents_%s_id TO documents_%s_id',
                   new_number, old_number, new_number);
    EXECUTE format('ALTER INDEX martlet.documents_%s_rid RENAME TO documents_%s_rid', old_number, new_number);
    RETURN 'ok';
END $$;
