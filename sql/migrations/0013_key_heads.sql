-- Where the values of a key end: see the top of Sources/BSON/KeyEncoding.swift for what they look like. For walks over
-- an index that pass over all keys with the same first values. Keys that were cut have no values in them.
-- `mask` is 255 for descending values, whose bytes are complemented, and 0 for others; positions are from 0.

-- Behind the next byte that ends a text or a name.
CREATE FUNCTION martlet.key_text_end(key bytea, at integer, mask integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
    SELECT at + position(CASE mask WHEN 0 THEN '\x00'::bytea ELSE '\xff'::bytea END IN substring(key FROM at + 1))
$$;

CREATE FUNCTION martlet.key_number_end(key bytea, tag integer, start integer, mask integer) RETURNS integer
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
DECLARE
    at integer := start;
BEGIN
    -- The parts of negative numbers are complemented, but for the tag.
    IF tag < 44 THEN mask := mask # 255; END IF;
    IF tag BETWEEN 35 AND 42 OR tag BETWEEN 46 AND 53 THEN
        at := at + CASE WHEN tag < 44 THEN 43 - tag ELSE tag - 45 END;
        IF ((get_byte(key, at - 1) # mask) & 1) = 0 THEN RETURN at; END IF;
    END IF;
    at := at + 8;
    IF ((get_byte(key, at - 1) # mask) & 1) = 0 THEN RETURN at; END IF;
    -- The exponent, and pairs of digits of which the last one is even.
    at := at + 3;
    WHILE ((get_byte(key, at - 1) # mask) & 1) = 1 LOOP at := at + 1; END LOOP;
    RETURN at;
END $$;

CREATE FUNCTION martlet.key_value_end(key bytea, start integer, mask integer) RETURNS integer
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
DECLARE
    tag integer := get_byte(key, start) # mask;
    at integer := start + 1;
    size bigint;
BEGIN
    CASE
        WHEN tag IN (80, 160) THEN RETURN martlet.key_text_end(key, at, mask);
        WHEN tag IN (8, 12, 16, 32, 33, 44, 55, 120, 121, 240) THEN RETURN at;
        WHEN tag BETWEEN 34 AND 54 THEN RETURN martlet.key_number_end(key, tag, at, mask);
        WHEN tag = 112 THEN RETURN at + 12;
        WHEN tag IN (128, 136) THEN RETURN at + 8;
        WHEN tag = 144 THEN RETURN martlet.key_text_end(key, martlet.key_text_end(key, at, mask), mask);
        WHEN tag IN (104, 152) THEN
            size := 0;
            FOR i IN 0..3 LOOP size := size * 256 + (get_byte(key, at + i) # mask); END LOOP;
            RETURN at + 4 + size + CASE tag WHEN 104 THEN 1 ELSE 12 END;
        WHEN tag IN (88, 168) THEN
            IF tag = 168 THEN at := martlet.key_text_end(key, at, mask); END IF;
            WHILE (get_byte(key, at) # mask) <> 0 LOOP
                at := martlet.key_value_end(key, martlet.key_text_end(key, at + 1, mask), mask);
            END LOOP;
            RETURN at + 1;
        WHEN tag = 96 THEN
            WHILE (get_byte(key, at) # mask) <> 0 LOOP at := martlet.key_value_end(key, at, mask); END LOOP;
            RETURN at + 1;
        ELSE RETURN octet_length(key);
    END CASE;
END $$;

-- The bytes of a key's first values; `descending` says which of these are.
CREATE FUNCTION martlet.key_head(key bytea, descending boolean[]) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
DECLARE
    at integer := 0;
    turned boolean;
BEGIN
    FOREACH turned IN ARRAY descending LOOP
        at := martlet.key_value_end(key, at, CASE WHEN turned THEN 255 ELSE 0 END);
    END LOOP;
    RETURN substring(key FROM 1 FOR at);
END $$;
