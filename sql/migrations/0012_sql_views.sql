-- For each collection a view: "<database>"."<collection>" (_id, doc), both jsonb.
--
-- The view is made when the transaction commits that makes the collection, so that no transaction of a client waits for
-- another's. If it cannot be made (no right to make schemas, a name that is taken, a lock), the collection is there
-- without: martlet.refresh_views, which a background job calls, tries again and notes why.
--
-- A view never stands in the way of DDL on its table: when a collection goes, its view is given an empty result, keeps
-- grants and whatever else depends on it, and shows documents again as soon as there is a collection of that name ($out
-- replaces collections all the time). The background job drops empty views on which nothing depends. A table
-- that gets another number keeps its view, since PostgreSQL's views know tables by their oid.
--
--   state    shown, empty (no such collection now), failed (`problem` says why; the view is not ours, or not there)
CREATE TABLE martlet.sql_views (
    database    text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    schema_name text COLLATE "C" NOT NULL,
    view_name   text COLLATE "C" NOT NULL,
    state       text COLLATE "C" NOT NULL CHECK (state IN ('shown', 'empty', 'failed')),
    problem     text,
    PRIMARY KEY (database, name)
);
CREATE UNIQUE INDEX sql_views_ours ON martlet.sql_views (schema_name, view_name) WHERE state <> 'failed';

-- The name in PostgreSQL, which has 63 bytes: a longer one is cut, and told from others by a hash behind a tilde. A
-- schema that is PostgreSQL's own or ours is avoided by a dot, which names of databases do not have.
CREATE FUNCTION martlet.sql_name(name text, is_schema boolean) RETURNS text
LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT CASE WHEN octet_length(wanted) <= 63 THEN wanted
                ELSE (SELECT left(wanted, n) FROM generate_series(54, 1, -1) n
                       WHERE octet_length(left(wanted, n)) <= 54 LIMIT 1) || '~' || left(md5(wanted), 8) END
      FROM (SELECT CASE WHEN is_schema AND (name IN ('martlet', 'public', 'information_schema') OR name LIKE 'pg\_%')
                        THEN '.' || name ELSE name END AS wanted) AS w
$$;

-- Whether a collection is shown: not what the server keeps for itself, nor what is not finished, nor views.
CREATE FUNCTION martlet.has_sql_view(collection martlet.collections) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT collection.kind <> 'view' AND collection.expires_at IS NULL AND NOT starts_with(collection.name, 'system.')
$$;

CREATE FUNCTION martlet.has_reader() RETURNS boolean
LANGUAGE sql STABLE AS $$ SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'martlet_reader') $$;

-- Makes the view of a collection, or lets it show the collection's present table. Raises what goes wrong.
CREATE FUNCTION martlet.show_collection(collection martlet.collections) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    in_schema text := martlet.sql_name(collection.database, true);
    in_view text := martlet.sql_name(collection.name, false);
    view text := format('%I.%I', in_schema, in_view);
BEGIN
    IF to_regnamespace(quote_ident(in_schema)) IS NULL THEN
        PERFORM pg_advisory_xact_lock(hashtext('martlet.schemas'), hashtext(in_schema));
        EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I', in_schema);
        IF martlet.has_reader() THEN EXECUTE format('GRANT USAGE ON SCHEMA %I TO martlet_reader', in_schema); END IF;
    END IF;
    IF to_regclass(view) IS NOT NULL AND NOT EXISTS (
        SELECT FROM martlet.sql_views v
         WHERE v.schema_name = in_schema AND v.view_name = in_view AND v.database = collection.database
           AND v.name = collection.name AND v.state <> 'failed')
    THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_table', MESSAGE = format('%s is something else', view);
    END IF;
    EXECUTE format(
        'CREATE OR REPLACE VIEW %s AS
             SELECT martlet.bson_get(doc, ''_id'') AS _id, martlet.bson_to_json(doc) AS doc FROM martlet.documents_%s',
        view, collection.number);
    IF martlet.has_reader() THEN EXECUTE format('GRANT SELECT ON %s TO martlet_reader', view); END IF;
    INSERT INTO martlet.sql_views AS v (database, name, schema_name, view_name, state)
        VALUES (collection.database, collection.name, in_schema, in_view, 'shown')
        ON CONFLICT (database, name) DO UPDATE SET state = 'shown', problem = NULL;
END $$;

CREATE FUNCTION martlet.show_new_collection() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    present martlet.collections;
BEGIN
    SELECT * INTO present FROM martlet.collections WHERE database = NEW.database AND name = NEW.name;
    IF NOT FOUND OR NOT martlet.has_sql_view(present) THEN RETURN NULL; END IF;
    BEGIN
        PERFORM martlet.show_collection(present);
    EXCEPTION WHEN OTHERS THEN
        NULL;  -- a collection does not fail because of its view; martlet.refresh_views tells why
    END;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER sql_view_shown AFTER INSERT ON martlet.collections
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION martlet.show_new_collection();

-- Before the table is touched, in the order in which who reads the view locks the two.
CREATE FUNCTION martlet.hide_old_collection() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    shown martlet.sql_views;
BEGIN
    UPDATE martlet.sql_views SET state = 'empty'
     WHERE database = OLD.database AND name = OLD.name AND state = 'shown' RETURNING * INTO shown;
    IF FOUND AND to_regclass(format('%I.%I', shown.schema_name, shown.view_name)) IS NOT NULL THEN
        EXECUTE format('CREATE OR REPLACE VIEW %I.%I AS SELECT NULL::jsonb AS _id, NULL::jsonb AS doc WHERE false',
                       shown.schema_name, shown.view_name);
    END IF;
    RETURN OLD;
END $$;

CREATE TRIGGER sql_view_hidden BEFORE DELETE ON martlet.collections
    FOR EACH ROW EXECUTE FUNCTION martlet.hide_old_collection();

-- Makes the views that are missing and drops those that nobody needs: how many of both, `changes_max` at most. To be
-- called until it gives 0, which a background job does; by hand after the reasons for failures are gone.
CREATE FUNCTION martlet.refresh_views(changes_max integer DEFAULT 100) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    changes integer := 0;
    wanted martlet.collections;
    unwanted martlet.sql_views;
BEGIN
    FOR wanted IN
        SELECT c.* FROM martlet.collections c
          LEFT JOIN martlet.sql_views v ON v.database = c.database AND v.name = c.name
         WHERE martlet.has_sql_view(c)
           AND (v.state IS DISTINCT FROM 'shown' OR to_regclass(format('%I.%I', v.schema_name, v.view_name)) IS NULL)
         ORDER BY v.state IS NOT DISTINCT FROM 'failed' LIMIT changes_max
           FOR KEY SHARE OF c SKIP LOCKED  -- who drops the collection waits, and then finds the view
    LOOP
        BEGIN
            PERFORM martlet.show_collection(wanted);
            changes := changes + 1;
        EXCEPTION WHEN OTHERS THEN
            INSERT INTO martlet.sql_views AS v (database, name, schema_name, view_name, state, problem)
                VALUES (wanted.database, wanted.name, martlet.sql_name(wanted.database, true),
                        martlet.sql_name(wanted.name, false), 'failed', SQLERRM)
                ON CONFLICT (database, name) DO UPDATE SET problem = EXCLUDED.problem
                    WHERE v.problem IS DISTINCT FROM EXCLUDED.problem;
        END;
    END LOOP;
    FOR unwanted IN
        SELECT v.* FROM martlet.sql_views v
         WHERE NOT EXISTS (SELECT FROM martlet.collections c WHERE c.database = v.database AND c.name = v.name)
         ORDER BY v.problem IS NOT NULL LIMIT changes_max
    LOOP
        BEGIN
            IF unwanted.state <> 'failed' THEN
                EXECUTE format('DROP VIEW IF EXISTS %I.%I', unwanted.schema_name, unwanted.view_name);
            END IF;
            DELETE FROM martlet.sql_views WHERE database = unwanted.database AND name = unwanted.name;
            changes := changes + 1;
        EXCEPTION WHEN OTHERS THEN
            UPDATE martlet.sql_views SET problem = SQLERRM
             WHERE database = unwanted.database AND name = unwanted.name AND problem IS DISTINCT FROM SQLERRM;
        END;
    END LOOP;
    RETURN changes;
END $$;

-- Makes the role that may read the views and nothing else, if we may make roles, and grants it what is there: whether
-- the role is there. Nobody can log in with it: grant it to whom you trust. Where roles are made by somebody else, let
-- them make it, and call this again.
CREATE FUNCTION martlet.create_reader() RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    shown martlet.sql_views;
BEGIN
    IF NOT martlet.has_reader() THEN
        BEGIN
            CREATE ROLE martlet_reader NOLOGIN;
        EXCEPTION WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN
            IF NOT martlet.has_reader() THEN RETURN false; END IF;
        END;
    END IF;
    -- The functions that the views call, call others by name.
    GRANT USAGE ON SCHEMA martlet TO martlet_reader;
    FOR shown IN SELECT * FROM martlet.sql_views WHERE state <> 'failed' LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO martlet_reader', shown.schema_name);
        EXECUTE format('GRANT SELECT ON %I.%I TO martlet_reader', shown.schema_name, shown.view_name);
    END LOOP;
    RETURN true;
END $$;

SELECT martlet.create_reader();
