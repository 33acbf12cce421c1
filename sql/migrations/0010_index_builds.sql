-- Indexes that are built while their collection is written.
--
-- Nobody maintains the keys of an index in the state `building`. Triggers write down which documents are changed, in a
-- log of the build, and the builder makes the keys of those anew: its last time when nobody else is in the table, and
-- in the transaction that makes the indexes ready. The essay is in Sources/Storage/Indexes/IndexBuildMachine.swift.
--
--   number        of the build; the log is martlet.build_<number>
--   uuid          of the collection, whose number may change meanwhile
--   indexes       their numbers
--   token         of the builder: whoever takes the build over makes it grow, and the old builder commits no more
--   heartbeat_at  when the builder was last known to be alive, by the clock of this PostgreSQL
--   position      the rid up to which documents were read; NULL for none
--   done, total   documents read, and how many there were about, for those who watch
CREATE TABLE martlet.index_builds (
    number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uuid         uuid NOT NULL,
    indexes      bigint[] NOT NULL,
    token        bigint NOT NULL DEFAULT 1,
    heartbeat_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    position     bigint,
    done         bigint NOT NULL DEFAULT 0,
    total        bigint NOT NULL DEFAULT 0,
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);

CREATE FUNCTION martlet.log_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO martlet.build_%s (id) SELECT id FROM stored', TG_ARGV[0]);
    RETURN NULL;
END $$;

CREATE FUNCTION martlet.log_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO martlet.build_%s (id) SELECT id FROM replaced', TG_ARGV[0]);
    RETURN NULL;
END $$;

-- Begins the build of indexes that martlet.create_index has made: its number. Waits for all who write the table now, so
-- that a change is either seen by every later snapshot, or in the log.
CREATE FUNCTION martlet.begin_index_build(in_collection bigint, in_indexes bigint[]) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    build bigint;
BEGIN
    INSERT INTO martlet.index_builds (uuid, indexes, total)
        SELECT c.uuid, in_indexes, greatest(t.reltuples, 0)::bigint
          FROM martlet.collections c
          JOIN pg_class t ON t.oid = to_regclass(format('martlet.documents_%s', c.number))
         WHERE c.number = in_collection RETURNING number INTO build;
    EXECUTE format('CREATE TABLE martlet.build_%s (id bytea NOT NULL)', build);
    EXECUTE format(
        'CREATE TRIGGER build_%1$s_inserted AFTER INSERT ON martlet.documents_%2$s
             REFERENCING NEW TABLE AS stored FOR EACH STATEMENT EXECUTE FUNCTION martlet.log_inserted(%1$s);
         CREATE TRIGGER build_%1$s_updated AFTER UPDATE ON martlet.documents_%2$s
             REFERENCING OLD TABLE AS replaced FOR EACH STATEMENT EXECUTE FUNCTION martlet.log_deleted(%1$s);
         CREATE TRIGGER build_%1$s_deleted AFTER DELETE ON martlet.documents_%2$s
             REFERENCING OLD TABLE AS replaced FOR EACH STATEMENT EXECUTE FUNCTION martlet.log_deleted(%1$s)',
        build, in_collection);
    RETURN build;
END $$;

-- Removes all of a build but its indexes. The table of documents may have another number by now, or be gone.
CREATE FUNCTION martlet.end_index_build(build bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    found record;
BEGIN
    FOR found IN SELECT tgname, tgrelid::regclass AS of_table FROM pg_trigger
                  WHERE tgname IN (format('build_%s_inserted', build), format('build_%s_updated', build),
                                   format('build_%s_deleted', build))
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', found.tgname, found.of_table);
    END LOOP;
    EXECUTE format('DROP TABLE IF EXISTS martlet.build_%s', build);
    DELETE FROM martlet.index_builds WHERE number = build;
END $$;

-- The constraint of a table of keys, and what deletions by SQL need; see martlet.finish_index. The table is still the
-- builder's alone.
CREATE FUNCTION martlet.prepare_index(in_number bigint, is_unique boolean, deleted_by_sql boolean) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM martlet.constrain_keys(in_number, is_unique);
    IF deleted_by_sql THEN
        EXECUTE format('CREATE INDEX keys_%1$s_id ON martlet.keys_%1$s (id)', in_number);
    END IF;
END $$;

-- An index with its constraint becomes one that is maintained and read.
CREATE FUNCTION martlet.open_index(in_number bigint, deleted_by_sql boolean) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    collection_number bigint;
BEGIN
    UPDATE martlet.indexes SET state = 'ready' WHERE number = in_number RETURNING collection INTO collection_number;
    IF deleted_by_sql THEN
        EXECUTE format(
            'CREATE TRIGGER keys_%s AFTER DELETE ON martlet.documents_%s REFERENCING OLD TABLE AS deleted
             FOR EACH STATEMENT EXECUTE FUNCTION martlet.delete_keys(%s)', in_number, collection_number, in_number);
    END IF;
END $$;

CREATE OR REPLACE FUNCTION martlet.finish_index(
    in_number bigint, is_unique boolean, deleted_by_sql boolean, in_multikey_fields bigint, in_has_cut_keys boolean
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE martlet.indexes SET multikey_fields = multikey_fields | in_multikey_fields,
                               has_cut_keys = has_cut_keys OR in_has_cut_keys
     WHERE number = in_number;
    PERFORM martlet.prepare_index(in_number, is_unique, deleted_by_sql);
    PERFORM martlet.open_index(in_number, deleted_by_sql);
END $$;

-- To be called first in each transaction of a builder: fails with MT003 when the build is another's, or over. The row
-- stays locked until the transaction ends, which tells those who look for dead builders.
CREATE FUNCTION martlet.touch_index_build(in_number bigint, in_token bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE martlet.index_builds SET heartbeat_at = clock_timestamp() WHERE number = in_number AND token = in_token;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the build % has moved on from token %', in_number, in_token USING ERRCODE = 'MT003';
    END IF;
END $$;

-- What follows is for operators, to be read with psql; the server does not use it.

-- How much of a table PostgreSQL's statistics cannot account for, in bytes: what updates and deletions have left
-- behind, and the room that is kept free. An estimate; NULL where the table was never analyzed.
CREATE FUNCTION martlet.unaccounted_bytes(of_table regclass) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT greatest(0, pg_relation_size(t.oid)
               - (t.reltuples * (28 + (SELECT sum(coalesce(s.avg_width, 0)) FROM pg_stats s
                                        WHERE s.schemaname = 'martlet' AND s.tablename = t.relname)))::bigint)
      FROM pg_class t WHERE t.oid = of_table AND t.reltuples >= 0
$$;

-- One row per secondary index.
--
--   keys, dead_keys  rows of its table by PostgreSQL's statistics
--   bytes            of the table of keys with its B-tree
--   bloat_bytes      martlet.unaccounted_bytes of the table without its B-tree
--   scans            how often PostgreSQL has looked something up in it, writes included, since its counters were reset
CREATE VIEW martlet.index_report AS
SELECT c.database, c.name AS collection, i.name AS index, i.number, i.state, i.created_at,
       coalesce(s.n_live_tup, 0) AS keys, coalesce(s.n_dead_tup, 0) AS dead_keys,
       coalesce(pg_total_relation_size(s.relid), 0) AS bytes,
       martlet.unaccounted_bytes(s.relid) AS bloat_bytes,
       coalesce(s.idx_scan, 0) AS scans, coalesce(s.idx_tup_fetch, 0) AS keys_read,
       greatest(s.last_vacuum, s.last_autovacuum) AS last_vacuum
  FROM martlet.indexes i
  JOIN martlet.collections c ON c.number = i.collection
  LEFT JOIN pg_stat_user_tables s ON s.relid = to_regclass(format('martlet.keys_%s', i.number));

-- One row per collection.
CREATE VIEW martlet.collection_report AS
SELECT c.database, c.name AS collection, c.number, c.kind,
       coalesce(s.n_live_tup, 0) AS documents, coalesce(s.n_dead_tup, 0) AS dead_rows,
       coalesce(pg_table_size(s.relid), 0) AS bytes,
       coalesce(pg_indexes_size(s.relid), 0) AS id_index_bytes,
       coalesce((SELECT sum(r.bytes) FROM martlet.index_report r
                  WHERE r.database = c.database AND r.collection = c.name), 0)::bigint AS index_bytes,
       martlet.unaccounted_bytes(s.relid) AS bloat_bytes,
       coalesce(s.n_tup_upd, 0) AS updates, coalesce(s.n_tup_hot_upd, 0) AS hot_updates,
       greatest(s.last_vacuum, s.last_autovacuum) AS last_vacuum
  FROM martlet.collections c
  LEFT JOIN pg_stat_user_tables s ON s.relid = to_regclass(format('martlet.documents_%s', c.number));

-- What retried writes are recognized by, in one row; see martlet.sessions.
CREATE VIEW martlet.guard_report AS
SELECT count(*) AS rows, count(*) FILTER (WHERE expires_at < now()) AS expired_rows,
       count(*) FILTER (WHERE octet_length(lsid) = 16) AS sessions,
       count(*) FILTER (WHERE octet_length(lsid) <> 16) AS idempotency_keys,
       coalesce(sum(octet_length(results)), 0)::bigint AS recorded_bytes,
       pg_total_relation_size('martlet.sessions') AS bytes
  FROM martlet.sessions;

-- One row per build of indexes.
CREATE VIEW martlet.build_report AS
SELECT b.number, c.database, c.name AS collection,
       ARRAY(SELECT i.name FROM martlet.indexes i WHERE i.number = ANY (b.indexes) ORDER BY i.number) AS indexes,
       b.done, b.total, b.started_at, clock_timestamp() - b.heartbeat_at AS silent_for
  FROM martlet.index_builds b
  LEFT JOIN martlet.collections c ON c.uuid = b.uuid;
