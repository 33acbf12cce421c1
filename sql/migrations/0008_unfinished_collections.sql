-- Collections in the making. `$out` gathers what it writes in a collection of a name of its own, which then takes the
-- place of its target in one transaction. Until then it has an end: the server that makes it puts that off while it
-- lives, and when it has died the collection is dropped.

-- NULL for a collection that nobody makes any more.
ALTER TABLE martlet.collections ADD COLUMN expires_at timestamptz;

CREATE FUNCTION martlet.specifications_of(in_collection bigint) RETURNS bytea[]
LANGUAGE sql AS $$
    SELECT coalesce(array_agg(specification ORDER BY name), '{}') FROM martlet.indexes WHERE collection = in_collection
$$;

-- Puts an unfinished collection in the place of another of its database, if there is one: 'ok', 'missing' (it has
-- expired), 'options' or 'indexes' (those of the target are not those that the unfinished one was made with), 'clash'.
CREATE FUNCTION martlet.publish_collection(
    in_database text, from_name text, to_name text, expected_options bytea
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    target record;
BEGIN
    -- In the order of rename_collection, or two would wait for each other.
    PERFORM martlet.lock_names_of(lower(in_database));
    SELECT number, kind, options INTO target FROM martlet.collections
     WHERE database = in_database AND name = to_name FOR UPDATE;
    IF FOUND THEN
        IF NOT EXISTS (SELECT FROM martlet.collections WHERE database = in_database AND name = from_name) THEN
            RETURN 'missing';
        END IF;
        IF target.kind = 'view' OR target.options <> expected_options THEN RETURN 'options'; END IF;
        IF martlet.specifications_of(target.number) IS DISTINCT FROM (
            SELECT martlet.specifications_of(number) FROM martlet.collections
             WHERE database = in_database AND name = from_name)
        THEN RETURN 'indexes'; END IF;
    END IF;
    RETURN martlet.rename_collection(in_database, from_name, in_database, to_name, true);
END $$;

-- Drops collections whose makers have died, ten at most: what was dropped.
CREATE FUNCTION martlet.drop_expired_collections() RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    expired record;
BEGIN
    FOR expired IN
        SELECT database, name FROM martlet.collections WHERE expires_at < now() LIMIT 10 FOR UPDATE SKIP LOCKED
    LOOP
        PERFORM martlet.drop_collection(expired.database, expired.name);
        RETURN NEXT expired.database || '.' || expired.name;
    END LOOP;
END $$;
