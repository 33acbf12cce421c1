-- Collections that are more than a table of documents.
--
--   plain   a table of documents; clustered collections and time series are such tables, too
--   capped  a table of documents of which the oldest go when there are too many
--   view    no table: only a definition, which stands in `options`, and as a document of the collection system.views
--           under `view_key`
ALTER TABLE martlet.collections
    ADD COLUMN kind text COLLATE "C" NOT NULL DEFAULT 'plain' CHECK (kind IN ('plain', 'capped', 'view')),
    ADD COLUMN view_key bytea;

-- What a capped collection holds, and what it may hold. Whoever writes into the collection locks its row first, and
-- keeps the lock until the transaction ends. So the sums are right whoever else writes, and a document that is inserted
-- later has a higher rid AND is committed later: who has read up to a rid has missed nothing below it.
--
--   size       bytes that it may hold
--   max        documents that it may hold; 0 means any number
--   bytes, documents  what it holds
--   newest     the rid of the document inserted last
CREATE TABLE martlet.capped (
    number    bigint PRIMARY KEY,
    size      bigint NOT NULL,
    max       bigint NOT NULL,
    bytes     bigint NOT NULL,
    documents bigint NOT NULL,
    newest    bigint NOT NULL
) WITH (fillfactor = 10);

-- The triggers know their collection by the name of its table, which changes when it is renamed.
CREATE FUNCTION martlet.collection_number(table_name text) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$ SELECT substr(table_name, length('documents_') + 1)::bigint $$;

CREATE FUNCTION martlet.lock_capped() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM martlet.capped WHERE number = martlet.collection_number(TG_TABLE_NAME) FOR UPDATE;
    RETURN NULL;
END $$;

CREATE FUNCTION martlet.count_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    in_number bigint := martlet.collection_number(TG_TABLE_NAME);
    found record;
    surplus record;
BEGIN
    SELECT count(*) AS documents, sum(octet_length(doc)) AS bytes, max(rid) AS newest INTO found FROM inserted;
    IF found.documents = 0 THEN RETURN NULL; END IF;
    UPDATE martlet.capped SET bytes = bytes + found.bytes, documents = documents + found.documents,
                              newest = greatest(newest, found.newest)
     WHERE number = in_number
     RETURNING bytes - size AS bytes, CASE WHEN max > 0 THEN documents - max ELSE 0 END AS documents INTO surplus;
    IF surplus.bytes > 0 OR surplus.documents > 0 THEN
        PERFORM martlet.evict(in_number, surplus.bytes, surplus.documents, found.newest);
    END IF;
    RETURN NULL;
END $$;

-- An update makes no room and needs none: the next insert does that, as in MongoDB.
CREATE FUNCTION martlet.count_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE martlet.capped SET bytes = bytes
            + (SELECT coalesce(sum(octet_length(doc)), 0) FROM stored)
            - (SELECT coalesce(sum(octet_length(doc)), 0) FROM replaced)
     WHERE number = martlet.collection_number(TG_TABLE_NAME);
    RETURN NULL;
END $$;

CREATE FUNCTION martlet.count_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found record;
BEGIN
    SELECT count(*) AS documents, sum(octet_length(doc)) AS bytes INTO found FROM deleted;
    IF found.documents > 0 THEN
        UPDATE martlet.capped SET bytes = bytes - found.bytes, documents = documents - found.documents
         WHERE number = martlet.collection_number(TG_TABLE_NAME);
    END IF;
    RETURN NULL;
END $$;

-- Removes the oldest documents until `surplus_bytes` and `surplus_documents` are gone, but none from rid `newest` on: a
-- document that is larger than the whole collection may be stays until the next one comes. The triggers count.
CREATE FUNCTION martlet.evict(
    in_number bigint, surplus_bytes bigint, surplus_documents bigint, newest bigint
) RETURNS void LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    oldest record;
    last_rid bigint;
BEGIN
    FOR oldest IN EXECUTE format(
        'SELECT rid, octet_length(doc) AS bytes FROM martlet.documents_%s WHERE rid < $1 ORDER BY rid', in_number)
        USING newest
    LOOP
        EXIT WHEN surplus_bytes <= 0 AND surplus_documents <= 0;
        last_rid := oldest.rid;
        surplus_bytes := surplus_bytes - oldest.bytes;
        surplus_documents := surplus_documents - 1;
    END LOOP;
    IF last_rid IS NOT NULL THEN
        EXECUTE format('DELETE FROM martlet.documents_%s WHERE rid <= $1', in_number) USING last_rid;
    END IF;
END $$;

-- Makes the table of a collection number a capped one, with what it holds.
CREATE FUNCTION martlet.cap_table(in_number bigint, in_size bigint, in_max bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    found record;
BEGIN
    EXECUTE format(
        'SELECT count(*) AS documents, coalesce(sum(octet_length(doc)), 0) AS bytes, coalesce(max(rid), 0) AS newest
           FROM martlet.documents_%s', in_number) INTO found;
    INSERT INTO martlet.capped (number, size, max, bytes, documents, newest)
        VALUES (in_number, in_size, in_max, found.bytes, found.documents, found.newest);
    EXECUTE format(
        'CREATE TRIGGER capped_lock BEFORE INSERT OR UPDATE OR DELETE ON martlet.documents_%1$s
             EXECUTE FUNCTION martlet.lock_capped();
         CREATE TRIGGER capped_inserted AFTER INSERT ON martlet.documents_%1$s
             REFERENCING NEW TABLE AS inserted EXECUTE FUNCTION martlet.count_inserted();
         CREATE TRIGGER capped_updated AFTER UPDATE ON martlet.documents_%1$s
             REFERENCING OLD TABLE AS replaced NEW TABLE AS stored EXECUTE FUNCTION martlet.count_updated();
         CREATE TRIGGER capped_deleted AFTER DELETE ON martlet.documents_%1$s
             REFERENCING OLD TABLE AS deleted EXECUTE FUNCTION martlet.count_deleted()', in_number);
END $$;

-- Inserts documents into a capped collection: the keys of those that were inserted, in their order. One by one where
-- documents have to go, because each may make room for a key that a later one has; an ordered insert then ends at its
-- first duplicate. Where all fit, they are inserted at once, and whoever calls takes those behind a duplicate back.
CREATE FUNCTION martlet.insert_capped(in_number bigint, ids bytea[], docs bytea[], is_ordered boolean)
RETURNS SETOF bytea LANGUAGE plpgsql AS $$
DECLARE
    state record;
    document record;
    affected bigint;
BEGIN
    SELECT * INTO state FROM martlet.capped WHERE number = in_number FOR UPDATE;
    IF state.bytes + (SELECT sum(octet_length(d)) FROM unnest(docs) AS d) <= state.size
        AND (state.max = 0 OR state.documents + cardinality(docs) <= state.max)
    THEN
        RETURN QUERY EXECUTE format(
            'INSERT INTO martlet.documents_%s (id, doc)
             SELECT u.id, u.doc FROM unnest($1, $2) WITH ORDINALITY AS u (id, doc, n) ORDER BY u.n
             ON CONFLICT DO NOTHING RETURNING id', in_number) USING ids, docs;
        RETURN;
    END IF;
    FOR document IN SELECT u.id, u.doc FROM unnest(ids, docs) WITH ORDINALITY AS u (id, doc, n) ORDER BY u.n LOOP
        EXECUTE format('INSERT INTO martlet.documents_%s (id, doc) VALUES ($1, $2) ON CONFLICT DO NOTHING', in_number)
            USING document.id, document.doc;
        GET DIAGNOSTICS affected = ROW_COUNT;
        IF affected = 1 THEN
            RETURN NEXT document.id;
        ELSIF is_ordered THEN
            RETURN;
        END IF;
    END LOOP;
END $$;

-- As before, and of any kind. A view is also a document of the collection system.views.
DROP FUNCTION martlet.create_collection(text, text, bytea);
CREATE FUNCTION martlet.create_collection(
    in_database text, in_name text, in_options bytea, in_kind text DEFAULT 'plain',
    in_size bigint DEFAULT 0, in_max bigint DEFAULT 0,
    in_view_key bytea DEFAULT NULL, in_view_document bytea DEFAULT NULL,
    OUT number bigint, OUT uuid uuid, OUT options bytea, OUT created boolean, OUT clashing_database text
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    views_number bigint;
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

        INSERT INTO martlet.collections AS c (database, name, options, kind, view_key)
            VALUES (in_database, in_name, in_options, in_kind, in_view_key)
            ON CONFLICT (database, name) DO NOTHING
            RETURNING c.number, c.uuid, c.options, true INTO number, uuid, options, created;
        EXIT WHEN number IS NOT NULL;
    END LOOP;
    IF in_kind = 'view' THEN
        SELECT v.number INTO views_number
          FROM martlet.create_collection(in_database, 'system.views', '\x0500000000') v;
        EXECUTE format('INSERT INTO martlet.documents_%s (id, doc) VALUES ($1, $2)', views_number)
            USING in_view_key, in_view_document;
        RETURN;
    END IF;
    PERFORM martlet.create_documents_table(number);
    IF in_kind = 'capped' THEN PERFORM martlet.cap_table(number, in_size, in_max); END IF;
END $$;

-- Views may not form circles: who makes or changes one holds this lock while looking at the others.
CREATE FUNCTION martlet.lock_views_of(in_database text) RETURNS void
LANGUAGE sql AS $$ SELECT pg_advisory_xact_lock(hashtext('martlet.views'), hashtext(in_database)); $$;

-- Changes the options of a collection, which keeps its documents, its number and its UUID.
CREATE FUNCTION martlet.modify_collection(
    in_number bigint, in_options bytea, in_size bigint, in_max bigint, in_view_document bytea
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    changed record;
    views_number bigint;
BEGIN
    UPDATE martlet.collections SET options = in_options WHERE number = in_number RETURNING * INTO changed;
    IF changed.kind = 'capped' THEN
        UPDATE martlet.capped SET size = in_size, max = in_max WHERE number = in_number;
    ELSIF changed.kind = 'view' THEN
        SELECT number INTO views_number FROM martlet.collections
         WHERE database = changed.database AND name = 'system.views';
        EXECUTE format('UPDATE martlet.documents_%s SET doc = $2 WHERE id = $1', views_number)
            USING changed.view_key, in_view_document;
    END IF;
END $$;

-- Drops a collection with its documents, or a view; with system.views go all views. Whether there was one.
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
    EXECUTE format('DROP TABLE martlet.documents_%s', dropped.number);
    DELETE FROM martlet.capped WHERE number = dropped.number;
    IF in_name = 'system.views' THEN
        DELETE FROM martlet.collections WHERE database = in_database AND kind = 'view';
    END IF;
    RETURN true;
END $$;

-- Gives the table of a collection another number, with everything that is named after it.
CREATE FUNCTION martlet.renumber_table(old_number bigint, new_number bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE martlet.documents_%s RENAME TO documents_%s', old_number, new_number);
    EXECUTE format('ALTER TABLE martlet.documents_%s RENAME CONSTRAINT documents_%s_id TO documents_%s_id',
                   new_number, old_number, new_number);
    EXECUTE format('ALTER INDEX martlet.documents_%s_rid RENAME TO documents_%s_rid', old_number, new_number);
    UPDATE martlet.capped SET number = new_number WHERE number = old_number;
END $$;

-- As before, for every kind but views.
CREATE OR REPLACE FUNCTION martlet.change_options(
    in_database text, in_name text, old_options bytea, new_options bytea
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    present record;
    new_number bigint;
BEGIN
    SELECT number, options INTO present FROM martlet.collections
     WHERE database = in_database AND name = in_name AND kind <> 'view' FOR UPDATE;
    IF present IS NULL THEN RETURN 'missing'; END IF;
    IF present.options <> old_options THEN RETURN 'changed'; END IF;
    UPDATE martlet.collections SET number = DEFAULT, options = new_options WHERE number = present.number
        RETURNING number INTO new_number;
    PERFORM martlet.renumber_table(present.number, new_number);
    RETURN 'ok';
END $$;

-- As before, for every kind but views.
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
     WHERE database = from_database AND name = from_name AND kind <> 'view' FOR UPDATE;
    IF old_number IS NULL THEN RETURN 'missing'; END IF;
    IF martlet.clashing_database(to_database) IS NOT NULL THEN RETURN 'clash'; END IF;
    IF EXISTS (SELECT FROM martlet.collections WHERE database = to_database AND name = to_name) THEN
        IF NOT drop_target THEN RETURN 'exists'; END IF;
        PERFORM martlet.drop_collection(to_database, to_name);
    END IF;
    INSERT INTO martlet.collections (database, name, uuid, options, kind)
        SELECT to_database, to_name, uuid, options, kind FROM martlet.collections WHERE number = old_number
        RETURNING number INTO new_number;
    DELETE FROM martlet.collections WHERE number = old_number;
    PERFORM martlet.renumber_table(old_number, new_number);
    RETURN 'ok';
END $$;

-- Makes a collection a capped one with as many of its newest documents as it may hold. It gets a new number, so that no
-- server takes it for a plain one, and a new UUID.
CREATE FUNCTION martlet.convert_to_capped(in_database text, in_name text, in_options bytea, in_size bigint)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    old_number bigint;
    new_number bigint;
    state record;
BEGIN
    DELETE FROM martlet.collections WHERE database = in_database AND name = in_name AND kind <> 'view'
        RETURNING number INTO old_number;
    IF old_number IS NULL THEN RETURN false; END IF;
    INSERT INTO martlet.collections (database, name, options, kind)
        VALUES (in_database, in_name, in_options, 'capped') RETURNING number INTO new_number;
    PERFORM martlet.renumber_table(old_number, new_number);
    UPDATE martlet.capped SET size = in_size, max = 0 WHERE number = new_number;
    IF NOT FOUND THEN PERFORM martlet.cap_table(new_number, in_size, 0); END IF;
    SELECT * INTO state FROM martlet.capped WHERE number = new_number;
    PERFORM martlet.evict(new_number, state.bytes - state.size, 0, state.newest);
    RETURN true;
END $$;

-- Copies the newest documents of a collection into a new capped one: 'ok', 'missing', 'exists'.
CREATE FUNCTION martlet.clone_as_capped(
    in_database text, from_name text, to_name text, in_options bytea, in_size bigint
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    source bigint;
    target record;
BEGIN
    SELECT number INTO source FROM martlet.collections
     WHERE database = in_database AND name = from_name AND kind <> 'view' FOR SHARE;
    IF source IS NULL THEN RETURN 'missing'; END IF;
    SELECT * INTO target FROM martlet.create_collection(in_database, to_name, in_options, 'capped', in_size);
    IF NOT target.created THEN RETURN 'exists'; END IF;
    EXECUTE format('INSERT INTO martlet.documents_%s (id, doc) SELECT id, doc FROM martlet.documents_%s ORDER BY rid',
                   target.number, source);
    RETURN 'ok';
END $$;

-- As before, and with the views, which hold nothing.
CREATE OR REPLACE VIEW martlet.collection_sizes AS
SELECT c.number, c.database, c.name, c.uuid, c.options,
       coalesce(pg_relation_size(t.oid) + coalesce(pg_relation_size(nullif(t.reltoastrelid, 0)), 0), 0) AS storage_size,
       coalesce(pg_indexes_size(t.oid), 0) AS index_size,
       coalesce(greatest(t.reltuples, -1), -1)::bigint AS estimated_count
  FROM martlet.collections c
  LEFT JOIN pg_class t ON t.oid = to_regclass(format('martlet.documents_%s', c.number));
