-- Secondary indexes: one row here and one table of keys for each.
--
-- A table of keys holds what the front has computed of each document: byte strings whose order is the order of the
-- index. `id` is that of the documents table. Who stores a document stores its keys in the same transaction; so the
-- table of documents gets a new number with every change here, and no server writes by an old list of indexes.
--
--   number           of the table of keys, martlet.keys_<number>; never used twice
--   collection       the number of the collection
--   specification    as listIndexes shows it, in BSON
--   state            building: writers maintain it, nobody reads it; ready
--   multikey_fields  bit n: some document has, or had, several keys along the path of field n
--   has_cut_keys     some key is, or was, too long to be held whole
CREATE TABLE martlet.indexes (
    number          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection      bigint NOT NULL,
    name            text COLLATE "C" NOT NULL,
    specification   bytea NOT NULL,
    state           text COLLATE "C" NOT NULL CHECK (state IN ('building', 'ready')),
    multikey_fields bigint NOT NULL DEFAULT 0,
    has_cut_keys    boolean NOT NULL DEFAULT false,
    created_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (collection, name)
);

-- All indexes of a collection as one value, so that a catalog entry is one row: for each its number (8 bytes), the
-- multikey fields (8), the flags cut = 1 and ready = 2 (4), the length of the specification (4), and the specification.
--
-- Volatile, so that it is never older than the number that it is asked for: a collection that has been given another
-- number since has no indexes under the old one, and no table either.
CREATE FUNCTION martlet.indexes_of(in_collection bigint) RETURNS bytea
LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(string_agg(
               int8send(i.number) || int8send(i.multikey_fields)
               || int4send(CASE WHEN i.has_cut_keys THEN 1 ELSE 0 END + CASE WHEN i.state = 'ready' THEN 2 ELSE 0 END)
               || int4send(octet_length(i.specification)) || i.specification, ''::bytea ORDER BY i.number), ''::bytea)
      FROM martlet.indexes i WHERE i.collection = in_collection
$$;

-- Makes an index with an empty table of keys, which has no constraint yet: keys are loaded first.
CREATE FUNCTION martlet.create_index(in_collection bigint, in_name text, in_specification bytea) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    new_number bigint;
BEGIN
    INSERT INTO martlet.indexes (collection, name, specification, state)
        VALUES (in_collection, in_name, in_specification, 'building') RETURNING number INTO new_number;
    EXECUTE format('CREATE TABLE martlet.keys_%s (key bytea NOT NULL, id bytea NOT NULL)', new_number);
    RETURN new_number;
END $$;

-- The table of keys becomes one that finds and refuses: unique by key, or by key and document.
--
-- Documents of some collections are deleted by SQL, which knows nothing of keys (`deleted_by_sql`): there a trigger
-- removes the keys by `id`, for which they have a second index.
CREATE FUNCTION martlet.finish_index(
    in_number bigint, is_unique boolean, deleted_by_sql boolean, in_multikey_fields bigint, in_has_cut_keys boolean
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    collection_number bigint;
BEGIN
    PERFORM martlet.constrain_keys(in_number, is_unique);
    UPDATE martlet.indexes SET state = 'ready', multikey_fields = multikey_fields | in_multikey_fields,
                               has_cut_keys = has_cut_keys OR in_has_cut_keys
     WHERE number = in_number RETURNING collection INTO collection_number;
    IF deleted_by_sql THEN
        EXECUTE format('CREATE INDEX keys_%1$s_id ON martlet.keys_%1$s (id)', in_number);
        EXECUTE format(
            'CREATE TRIGGER keys_%s AFTER DELETE ON martlet.documents_%s REFERENCING OLD TABLE AS deleted
             FOR EACH STATEMENT EXECUTE FUNCTION martlet.delete_keys(%s)', in_number, collection_number, in_number);
    END IF;
END $$;

CREATE FUNCTION martlet.constrain_keys(in_number bigint, is_unique boolean) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE martlet.keys_%1$s ADD CONSTRAINT keys_%1$s_key PRIMARY KEY (key%2$s)',
                   in_number, CASE WHEN is_unique THEN ') INCLUDE (id' ELSE ', id' END);
END $$;

CREATE FUNCTION martlet.delete_keys() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DELETE FROM martlet.keys_%s WHERE id IN (SELECT id FROM deleted)', TG_ARGV[0]);
    RETURN NULL;
END $$;

CREATE FUNCTION martlet.drop_index(in_number bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    collection_number bigint;
BEGIN
    DELETE FROM martlet.indexes WHERE number = in_number RETURNING collection INTO collection_number;
    IF collection_number IS NULL THEN RETURN; END IF;
    EXECUTE format('DROP TRIGGER IF EXISTS keys_%s ON martlet.documents_%s', in_number, collection_number);
    EXECUTE format('DROP TABLE martlet.keys_%s', in_number);
END $$;

CREATE FUNCTION martlet.drop_indexes_of(in_collection bigint) RETURNS void
LANGUAGE sql AS $$ SELECT martlet.drop_index(number) FROM martlet.indexes WHERE collection = in_collection $$;

-- Gives a collection another number and nothing else: all statements made by its present catalog entry fail by name.
CREATE FUNCTION martlet.renumber_collection(in_number bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    new_number bigint;
BEGIN
    UPDATE martlet.collections SET number = DEFAULT WHERE number = in_number RETURNING number INTO new_number;
    IF new_number IS NOT NULL THEN PERFORM martlet.renumber_table(in_number, new_number); END IF;
    RETURN new_number;
END $$;

-- As before, with the indexes.
CREATE OR REPLACE FUNCTION martlet.renumber_table(old_number bigint, new_number bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE martlet.documents_%s RENAME TO documents_%s', old_number, new_number);
    EXECUTE format('ALTER TABLE martlet.documents_%s RENAME CONSTRAINT documents_%s_id TO documents_%s_id',
                   new_number, old_number, new_number);
    EXECUTE format('ALTER INDEX martlet.documents_%s_rid RENAME TO documents_%s_rid', old_number, new_number);
    UPDATE martlet.capped SET number = new_number WHERE number = old_number;
    UPDATE martlet.indexes SET collection = new_number WHERE collection = old_number;
END $$;

-- As before, with the tables of keys.
CREATE OR REPLACE FUNCTION martlet.drop_collection(in_database text, in_name text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    dropped record;
    views_number bigint;
BEGIN
    DELETE FROM martlet.collections WHERE database = in_database AND name = in_name RETURNING * INTO dropped;
    IF dropped IS NULL THEN RETURN false; END IF;
    IF dropped.kind = 'view' THEN
        SELECT number INTO views_number FROM martlet.collections
         WHERE database = in_database AND name = 'system.views';
        IF views_number IS NOT NULL THEN
            EXECUTE format('DELETE FROM martlet.documents_%s WHERE id = $1', views_number) USING dropped.view_key;
        END IF;
        RETURN true;
    END IF;
    PERFORM martlet.drop_indexes_of(dropped.number);
    EXECUTE format('DROP TABLE martlet.documents_%s', dropped.number);
    DELETE FROM martlet.capped WHERE number = dropped.number;
    IF in_name = 'system.views' THEN
        DELETE FROM martlet.collections WHERE database = in_database AND kind = 'view';
    END IF;
    RETURN true;
END $$;

-- As before; the secondary indexes go, as they do in MongoDB.
CREATE OR REPLACE FUNCTION martlet.convert_to_capped(in_database text, in_name text, in_options bytea, in_size bigint)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    old_number bigint;
    new_number bigint;
    state record;
BEGIN
    DELETE FROM martlet.collections WHERE database = in_database AND name = in_name AND kind <> 'view'
        RETURNING number INTO old_number;
    IF old_number IS NULL THEN RETURN false; END IF;
    PERFORM martlet.drop_indexes_of(old_number);
    INSERT INTO martlet.collections (database, name, options, kind)
        VALUES (in_database, in_name, in_options, 'capped') RETURNING number INTO new_number;
    PERFORM martlet.renumber_table(old_number, new_number);
    UPDATE martlet.capped SET size = in_size, max = 0 WHERE number = new_number;
    IF NOT FOUND THEN PERFORM martlet.cap_table(new_number, in_size, 0); END IF;
    SELECT * INTO state FROM martlet.capped WHERE number = new_number;
    PERFORM martlet.evict(new_number, state.bytes - state.size, 0, state.newest);
    RETURN true;
END $$;

-- One row per index with the size of its table of keys in bytes, and the estimated number of keys (PostgreSQL's
-- statistics; -1 where there are none yet).
CREATE VIEW martlet.index_sizes AS
SELECT i.number, i.collection, i.name, i.state,
       coalesce(pg_total_relation_size(t.oid), 0) AS size,
       coalesce(greatest(t.reltuples, -1), -1)::bigint AS estimated_count
  FROM martlet.indexes i
  LEFT JOIN pg_class t ON t.oid = to_regclass(format('martlet.keys_%s', i.number));

-- As before, with the tables of keys among the indexes.
CREATE OR REPLACE VIEW martlet.collection_sizes AS
SELECT c.number, c.database, c.name, c.uuid, c.options,
       coalesce(pg_relation_size(t.oid) + coalesce(pg_relation_size(nullif(t.reltoastrelid, 0)), 0), 0) AS storage_size,
       coalesce(pg_indexes_size(t.oid), 0)
       + coalesce((SELECT sum(s.size) FROM martlet.index_sizes s WHERE s.collection = c.number), 0)::bigint
       AS index_size,
       coalesce(greatest(t.reltuples, -1), -1)::bigint AS estimated_count
  FROM martlet.collections c
  LEFT JOIN pg_class t ON t.oid = to_regclass(format('martlet.documents_%s', c.number));
