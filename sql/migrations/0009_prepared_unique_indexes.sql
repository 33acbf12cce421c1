-- Indexes on their way to become unique (`prepareUnique`): duplicates that they have may stay until somebody has
-- settled them, and no new ones may come. A constraint would refuse the old ones, too, so a trigger looks.
--
-- Two writers of one key wait for each other, and the second sees what the first has committed. Within a transaction of
-- an old snapshot it does not; then `unique: true` finds the duplicate.
CREATE FUNCTION martlet.refuse_duplicate_key() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_taken boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(TG_RELID::int, hashtext(encode(NEW.key, 'base64')));
    EXECUTE format('SELECT EXISTS (SELECT FROM martlet.%I WHERE key = $1 AND id <> $2)', TG_TABLE_NAME)
        INTO is_taken USING NEW.key, NEW.id;
    IF is_taken THEN
        RAISE unique_violation USING
            MESSAGE = format('duplicate key in %s', TG_TABLE_NAME),
            DETAIL = format('Key (key)=(%s) already exists.', NEW.key),
            SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, CONSTRAINT = TG_TABLE_NAME || '_key';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION martlet.refuse_duplicates(in_number bigint, is_refused boolean) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP TRIGGER IF EXISTS refuse_duplicates ON martlet.keys_%s', in_number);
    IF is_refused THEN
        EXECUTE format(
            'CREATE TRIGGER refuse_duplicates BEFORE INSERT ON martlet.keys_%s
             FOR EACH ROW EXECUTE FUNCTION martlet.refuse_duplicate_key()', in_number);
    END IF;
END $$;
