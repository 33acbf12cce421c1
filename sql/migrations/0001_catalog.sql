-- The catalog: one row per collection, one table of documents for each.
--
-- Everything Martlet keeps lies in the schema `martlet`; documents of collection number n lie in martlet.documents_n.
-- A number is never used twice, and DDL that changes what a cached catalog entry means gives the table a new number:
-- a server with a stale catalog then fails by name (42P01), reads the catalog anew and tries again. No server can
-- write to the wrong collection.

CREATE TABLE martlet.collections (
    number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    database   text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    uuid       uuid NOT NULL DEFAULT gen_random_uuid(),
    -- the options of `create`, as a BSON document
    options    bytea NOT NULL DEFAULT '\x0500000000',
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (database, name)
);

-- Makes the table of documents for a collection number.
--   id   order-preserving encoding of _id: the byte order is MongoDB's order, equal values are equal keys
--   rid  insertion order: natural order, and the position from which a cursor resumes
--   doc  the BSON as it came
-- fillfactor leaves room on each page so that an update stays on it (HOT) and touches no index.
CREATE FUNCTION martlet.create_documents_table(number bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE TABLE martlet.documents_%1$s (
             id  bytea NOT NULL,
             rid bigint GENERATED ALWAYS AS IDENTITY,
             doc bytea NOT NULL,
             CONSTRAINT documents_%1$s_id PRIMARY KEY (id)
         ) WITH (fillfactor = 90)', number);
    EXECUTE format('CREATE UNIQUE INDEX documents_%1$s_rid ON martlet.documents_%1$s (rid)', number);
    BEGIN
        EXECUTE format('ALTER TABLE martlet.documents_%1$s ALTER COLUMN doc SET COMPRESSION lz4', number);
    EXCEPTION WHEN feature_not_supported OR invalid_parameter_value THEN
        NULL;  -- a server built without lz4 keeps its default
    END;
END $$;

-- Creates a collection, or finds it: the row, and whether this call made it. Two servers that race for one name both
-- get the same row. A database whose name differs only in case from an existing one is refused, as MongoDB does.
CREATE FUNCTION martlet.create_collection(
    in_database text, in_name text, in_options bytea,
    OUT number bigint, OUT uuid uuid, OUT options bytea, OUT created boolean, OUT clashing_database text
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    SELECT c.number, c.uuid, c.options, false INTO number, uuid, options, created
      FROM martlet.collections c WHERE c.database = in_database AND c.name = in_name;
    IF FOUND THEN RETURN; END IF;

    -- One creation at a time: the check of the names needs it, and nothing is gained by racing.
    PERFORM pg_advisory_xact_lock(hashtext('martlet.collections'));
    SELECT c.database INTO clashing_database FROM martlet.collections c
     WHERE lower(c.database) = lower(in_database) AND c.database <> in_database LIMIT 1;
    IF FOUND THEN created := false; RETURN; END IF;

    INSERT INTO martlet.collections AS c (database, name, options) VALUES (in_database, in_name, in_options)
        ON CONFLICT (database, name) DO NOTHING
        RETURNING c.number, c.uuid, c.options, true INTO number, uuid, options, created;
    IF number IS NULL THEN
        SELECT c.number, c.uuid, c.options, false INTO number, uuid, options, created
          FROM martlet.collections c WHERE c.database = in_database AND c.name = in_name;
    ELSE
        PERFORM martlet.create_documents_table(number);
    END IF;
END $$;

-- Drops a collection with its documents; whether there was one.
CREATE FUNCTION martlet.drop_collection(in_database text, in_name text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    dropped bigint;
BEGIN
    DELETE FROM martlet.collections WHERE database = in_database AND name = in_name RETURNING number INTO dropped;
    IF dropped IS NULL THEN RETURN false; END IF;
    EXECUTE format('DROP TABLE martlet.documents_%s', dropped);
    RETURN true;
END $$;

-- Gives a collection another name: 'ok', 'missing' (no such source) or 'exists' (the target does, and may not be
-- dropped). The table gets a new number, so that a stale catalog entry cannot reach it under the old name.
CREATE FUNCTION martlet.rename_collection(
    from_database text, from_name text, to_database text, to_name text, drop_target boolean
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    old_number bigint;
    new_number bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('martlet.collections'));
    SELECT number INTO old_number FROM martlet.collections
     WHERE database = from_database AND name = from_name FOR UPDATE;
    IF old_number IS NULL THEN RETURN 'missing'; END IF;
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

-- One row per collection with its sizes in bytes and its estimated number of documents (PostgreSQL's statistics;
-- -1 where there are none yet).
CREATE VIEW martlet.collection_sizes AS
SELECT c.number, c.database, c.name, c.uuid, c.options,
       pg_relation_size(t.oid) + coalesce(pg_relation_size(nullif(t.reltoastrelid, 0)), 0) AS storage_size,
       pg_indexes_size(t.oid) AS index_size,
       greatest(t.reltuples, -1)::bigint AS estimated_count
  FROM martlet.collections c
  JOIN pg_class t ON t.oid = to_regclass(format('martlet.documents_%s', c.number));
