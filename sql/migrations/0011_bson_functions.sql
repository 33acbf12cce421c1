-- Documents for those who speak SQL: functions that read BSON, and a view for each collection.
--
-- Everything here reads. It is SQL and PL/pgSQL alone, so a database that was dumped and restored brings it along. The
-- functions raise nothing on damaged bytes: what can be read is shown, and `$damaged` stands where it ends. Numbers in
-- names (`at`, `stop`) are positions in bytes, from 0; `stop` is that behind the last.

-- Text of a string's bytes. What is not UTF-8, or holds the character 0, which PostgreSQL's texts cannot, is shown with
-- its bytes escaped. encode() leaves plain ASCII as it is, and costs less than a conversion that must not fail.
CREATE FUNCTION martlet.bson_text(bytes bytea) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
DECLARE
    escaped text := encode(bytes, 'escape');
BEGIN
    IF octet_length(escaped) = octet_length(bytes) THEN RETURN escaped; END IF;
    IF encode(bytes, 'hex') ~ ('^(?:0[1-9a-f]|[1-7].|(?:c[2-9a-f]|d.)[89ab].|e0[ab].[89ab].'
                               || '|(?:e[1-9a-cef])(?:[89ab].){2}'
                               || '|ed[89].[89ab].|f0[9ab].(?:[89ab].){2}|f[1-3](?:[89ab].){3}|f48.(?:[89ab].){2})*$')
    THEN
        RETURN convert_from(bytes, 'UTF8');
    END IF;
    RETURN escaped;
END $$;

CREATE FUNCTION martlet.bson_int4(doc bytea, at integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
    SELECT get_byte(doc, at) | (get_byte(doc, at + 1) << 8) | (get_byte(doc, at + 2) << 16)
           | (get_byte(doc, at + 3) << 24)
$$;

CREATE FUNCTION martlet.bson_int8(doc bytea, at integer) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
    SELECT (martlet.bson_int4(doc, at)::bigint & 4294967295) | (martlet.bson_int4(doc, at + 4)::bigint << 32)
$$;

-- The double with these bits. All steps are exact: a whole number below 2^53, times a power of two.
CREATE FUNCTION martlet.bson_double(bits bigint) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
DECLARE
    exponent integer := (bits >> 52 & 2047)::integer;
    fraction bigint := bits & 4503599627370495;
    size double precision;
BEGIN
    IF exponent = 2047 THEN
        IF fraction <> 0 THEN RETURN 'NaN'; END IF;
        RETURN CASE WHEN bits < 0 THEN '-Infinity' ELSE 'Infinity' END::double precision;
    END IF;
    IF exponent = 0 THEN
        size := fraction::double precision * 4.9406564584124654e-324;
    ELSE
        size := (fraction | 4503599627370496)::double precision * power(2::double precision, exponent - 1075);
    END IF;
    RETURN CASE WHEN bits < 0 THEN -size ELSE size END;
END $$;

-- As JSON: 1.0 stays a number with a point, so that it is not taken for an integer.
CREATE FUNCTION martlet.bson_double_json(bits bigint) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
DECLARE
    digits text := martlet.bson_double(bits)::text;
BEGIN
    IF digits ~ '^[-0-9]*$' THEN RETURN digits || '.0'; END IF;
    IF digits ~ '[yN]' THEN RETURN '{"$numberDouble": "' || digits || '"}'; END IF;
    RETURN digits;
END $$;

-- The text of a Decimal128, from its two halves.
CREATE FUNCTION martlet.bson_decimal(low bigint, high bigint) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
DECLARE
    sign text := CASE WHEN high < 0 THEN '-' ELSE '' END;
    exponent integer := (high >> 49 & 16383)::integer - 6176;
    digits text := '0';
    adjusted integer;
BEGIN
    IF high >> 58 & 31 = 31 THEN RETURN 'NaN'; END IF;
    IF high >> 58 & 31 = 30 THEN RETURN sign || 'Infinity'; END IF;
    IF high >> 61 & 3 = 3 THEN
        -- A form whose coefficients are all too large, and so count as 0.
        exponent := (high >> 47 & 16383)::integer - 6176;
    ELSE
        digits := ((high & 562949953421311)::numeric * 18446744073709551616
                   + low::numeric + CASE WHEN low < 0 THEN 18446744073709551616 ELSE 0 END)::text;
        IF length(digits) > 34 THEN digits := '0'; END IF;
    END IF;
    adjusted := exponent + length(digits) - 1;
    IF exponent > 0 OR adjusted < -6 THEN
        RETURN sign || left(digits, 1) || CASE WHEN length(digits) > 1 THEN '.' || substr(digits, 2) ELSE '' END
               || 'E' || CASE WHEN adjusted < 0 THEN '' ELSE '+' END || adjusted;
    END IF;
    IF exponent = 0 THEN RETURN sign || digits; END IF;
    digits := lpad(digits, greatest(length(digits), 1 - exponent), '0');
    RETURN sign || left(digits, exponent) || '.' || right(digits, -exponent);
END $$;

CREATE FUNCTION martlet.bson_date_json(milliseconds bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
    SELECT CASE WHEN milliseconds BETWEEN 0 AND 253402300799999
        THEN '{"$date": "' || to_char(timestamp '1970-01-01' + milliseconds / 1000 * interval '1 second',
                                     'YYYY-MM-DD"T"HH24:MI:SS')
             || CASE WHEN milliseconds % 1000 = 0 THEN '' ELSE '.' || lpad((milliseconds % 1000)::text, 3, '0') END
             || 'Z"}'
        ELSE '{"$date": {"$numberLong": "' || milliseconds || '"}}' END
$$;

-- Where the text that ends with a zero byte ends; -1 when it does not before `stop`.
CREATE FUNCTION martlet.bson_text_end(doc bytea, at integer, stop integer) RETURNS integer
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
DECLARE
    zero integer;
    width integer := 64;
BEGIN
    LOOP
        width := least(width, stop - at);
        IF width <= 0 THEN RETURN -1; END IF;
        zero := position('\x00'::bytea IN substr(doc, at + 1, width));
        IF zero > 0 THEN RETURN at + zero - 1; END IF;
        IF width = stop - at THEN RETURN -1; END IF;
        width := width * 16;
    END LOOP;
END $$;

-- How many bytes the value of this type takes, all of which lie before `stop`; -1 when it is damaged.
CREATE FUNCTION martlet.bson_size(doc bytea, type integer, at integer, stop integer) RETURNS integer
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
DECLARE
    size bigint;
    behind integer;
BEGIN
    CASE type
        WHEN 16 THEN size := 4;
        WHEN 1, 9, 17, 18 THEN size := 8;
        WHEN 8 THEN size := 1;
        WHEN 7 THEN size := 12;
        WHEN 19 THEN size := 16;
        WHEN 6, 10, 127, 255 THEN size := 0;
        WHEN 11 THEN
            behind := martlet.bson_text_end(doc, at, stop);
            IF behind >= 0 THEN behind := martlet.bson_text_end(doc, behind + 1, stop); END IF;
            size := behind::bigint + 1 - at;
            IF behind < 0 THEN size := -1; END IF;
        WHEN 2, 3, 4, 5, 12, 13, 14, 15 THEN
            IF stop - at < 5 THEN RETURN -1; END IF;
            size := martlet.bson_int4(doc, at);
            IF size < (CASE type WHEN 5 THEN 0 WHEN 3 THEN 5 WHEN 4 THEN 5 WHEN 15 THEN 14 ELSE 1 END) THEN
                RETURN -1;
            END IF;
            size := size
                + CASE type WHEN 5 THEN 5 WHEN 12 THEN 16 WHEN 3 THEN 0 WHEN 4 THEN 0 WHEN 15 THEN 0 ELSE 4 END;
        ELSE size := -1;
    END CASE;
    IF size > stop - at THEN RETURN -1; END IF;
    RETURN size;
END $$;

-- How deep documents may lie in one another; the front takes no deeper ones.
CREATE FUNCTION martlet.bson_depth_max() RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT 200 $$;

CREATE FUNCTION martlet.bson_damage(at integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$ SELECT '{"$damaged": "at byte ' || at || '"}' $$;

-- The JSON of a value that bson_size has measured.
CREATE FUNCTION martlet.bson_value_json(doc bytea, type integer, at integer, size integer, depth integer) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
DECLARE
    middle integer;
    subtype integer;
    skipped integer;
    bits bigint;
BEGIN
    CASE type
        WHEN 2 THEN RETURN to_json(martlet.bson_text(substr(doc, at + 5, size - 5)))::text;
        WHEN 16 THEN RETURN martlet.bson_int4(doc, at)::text;
        WHEN 3 THEN RETURN martlet.bson_container_json(doc, at, at + size, false, depth + 1);
        WHEN 4 THEN RETURN martlet.bson_container_json(doc, at, at + size, true, depth + 1);
        WHEN 8 THEN RETURN CASE WHEN get_byte(doc, at) = 0 THEN 'false' ELSE 'true' END;
        WHEN 10 THEN RETURN 'null';
        WHEN 1 THEN RETURN martlet.bson_double_json(martlet.bson_int8(doc, at));
        WHEN 18 THEN RETURN martlet.bson_int8(doc, at)::text;
        WHEN 7 THEN RETURN '{"$oid": "' || encode(substr(doc, at + 1, 12), 'hex') || '"}';
        WHEN 9 THEN RETURN martlet.bson_date_json(martlet.bson_int8(doc, at));
        WHEN 5 THEN
            subtype := get_byte(doc, at + 4);
            -- The old subtype of bytes says their number twice.
            skipped := CASE WHEN subtype = 2 AND size >= 9 THEN 9 ELSE 5 END;
            RETURN '{"$binary": {"base64": "'
                || replace(encode(substr(doc, at + skipped + 1, size - skipped), 'base64'), E'\n', '')
                || '", "subType": "' || lpad(to_hex(subtype), 2, '0') || '"}}';
        WHEN 19 THEN
            RETURN '{"$numberDecimal": "'
                || martlet.bson_decimal(martlet.bson_int8(doc, at), martlet.bson_int8(doc, at + 8)) || '"}';
        WHEN 17 THEN
            bits := martlet.bson_int8(doc, at);
            RETURN '{"$timestamp": {"t": ' || (bits >> 32 & 4294967295) || ', "i": ' || (bits & 4294967295) || '}}';
        WHEN 11 THEN
            middle := martlet.bson_text_end(doc, at, at + size);
            RETURN '{"$regularExpression": {"pattern": '
                || to_json(martlet.bson_text(substr(doc, at + 1, middle - at)))::text || ', "options": '
                || to_json(martlet.bson_text(substr(doc, middle + 2, at + size - middle - 2)))::text || '}}';
        WHEN 6 THEN RETURN '{"$undefined": true}';
        WHEN 13 THEN RETURN '{"$code": ' || to_json(martlet.bson_text(substr(doc, at + 5, size - 5)))::text || '}';
        WHEN 14 THEN RETURN '{"$symbol": ' || to_json(martlet.bson_text(substr(doc, at + 5, size - 5)))::text || '}';
        WHEN 12 THEN
            RETURN '{"$dbPointer": {"$ref": ' || to_json(martlet.bson_text(substr(doc, at + 5, size - 17)))::text
                || ', "$id": {"$oid": "' || encode(substr(doc, at + size - 11, 12), 'hex') || '"}}}';
        WHEN 15 THEN
            middle := martlet.bson_size(doc, 2, at + 4, at + size);
            skipped := martlet.bson_size(doc, 3, at + 4 + middle, at + size);
            IF middle < 0 OR skipped < 0 THEN RETURN martlet.bson_damage(at); END IF;
            RETURN '{"$code": ' || to_json(martlet.bson_text(substr(doc, at + 9, middle - 5)))::text
                || ', "$scope": ' || martlet.bson_container_json(
                    doc, at + 4 + middle, at + 4 + middle + skipped, false, depth + 1) || '}';
        WHEN 255 THEN RETURN '{"$minKey": 1}';
        WHEN 127 THEN RETURN '{"$maxKey": 1}';
        ELSE RETURN martlet.bson_damage(at);
    END CASE;
END $$;

-- The JSON of the document, or array, from `at` to `stop`.
CREATE FUNCTION martlet.bson_container_json(doc bytea, at integer, stop integer, is_array boolean, depth integer)
RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
DECLARE
    parts text[] := '{}';
    next_at integer := at + 4;
    key_end integer;
    type integer;
    size integer;
    value text;
    key bytea;
    name text;
BEGIN
    IF depth > martlet.bson_depth_max() THEN RETURN martlet.bson_damage(at); END IF;
    LOOP
        size := -1;
        IF next_at < stop THEN
            type := get_byte(doc, next_at);
            EXIT WHEN type = 0 AND next_at = stop - 1;
            -- What is usual is done here: a call costs more than the work.
            key_end := next_at + position('\x00'::bytea IN substr(doc, next_at + 2, 32));
            IF key_end = next_at OR key_end >= stop - 1 THEN
                key_end := martlet.bson_text_end(doc, next_at + 1, stop - 1);
            END IF;
            IF key_end < 0 THEN
                size := -1;
            ELSIF type = 16 AND key_end + 5 < stop THEN
                size := 4;
            ELSE
                size := martlet.bson_size(doc, type, key_end + 1, stop - 1);
            END IF;
        END IF;
        IF size < 0 THEN
            parts := parts || CASE WHEN is_array THEN martlet.bson_damage(next_at)
                                   ELSE '"$damaged": "at byte ' || next_at || '"' END;
            EXIT;
        END IF;
        IF type = 2 THEN
            key := substr(doc, key_end + 6, size - 5);
            value := encode(key, 'escape');
            IF octet_length(value) <> size - 5 THEN value := martlet.bson_text(key); END IF;
            value := to_json(value)::text;
        ELSIF type = 16 THEN
            value := (get_byte(doc, key_end + 1) | (get_byte(doc, key_end + 2) << 8)
                      | (get_byte(doc, key_end + 3) << 16) | (get_byte(doc, key_end + 4) << 24))::text;
        ELSE
            value := martlet.bson_value_json(doc, type, key_end + 1, size, depth);
        END IF;
        IF is_array THEN
            parts := parts || value;
        ELSE
            key := substr(doc, next_at + 2, key_end - next_at - 1);
            name := encode(key, 'escape');
            IF octet_length(name) <> key_end - next_at - 1 THEN name := martlet.bson_text(key); END IF;
            parts := parts || (to_json(name)::text || ': ' || value);
        END IF;
        next_at := key_end + 1 + size;
    END LOOP;
    RETURN CASE WHEN is_array THEN '[' || array_to_string(parts, ', ') || ']'
                ELSE '{' || array_to_string(parts, ', ') || '}' END;
END $$;

-- Where the document in `doc` ends; -1 when it is damaged. More than the 64 MB are none of ours.
CREATE FUNCTION martlet.bson_end(doc bytea) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
    SELECT CASE WHEN octet_length(doc) BETWEEN 5 AND 67108864
                THEN martlet.bson_size(doc, 3, 0, octet_length(doc)) ELSE -1 END
$$;

-- A BSON document as relaxed extended JSON. Of fields with one name the last one is shown, as always in jsonb.
CREATE FUNCTION martlet.bson_to_json(doc bytea) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
DECLARE
    -- A copy in memory, or each byte read would unpack the stored value.
    bytes bytea := substr(doc, 1);
    stop integer := martlet.bson_end(bytes);
BEGIN
    IF stop < 0 THEN RETURN martlet.bson_damage(0)::jsonb; END IF;
    RETURN martlet.bson_container_json(bytes, 0, stop, false, 1)::jsonb;
END $$;

-- The JSON of what `names[position]` and the names behind it lead to; NULL when that is nothing.
CREATE FUNCTION martlet.bson_get_json(
    doc bytea, at integer, stop integer, is_array boolean, names text[], place integer
) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
DECLARE
    wanted bytea := convert_to(names[place], 'UTF8');
    -- A name that is no number stands for the fields of that name in the documents of an array.
    is_spread boolean := is_array AND names[place] !~ '^[0-9]+$';
    next_place integer := CASE WHEN is_spread THEN place ELSE place + 1 END;
    parts text[] := '{}';
    next_at integer := at + 4;
    key_end integer;
    type integer;
    size integer;
    value text;
BEGIN
    LOOP
        EXIT WHEN next_at >= stop - 1;
        type := get_byte(doc, next_at);
        key_end := martlet.bson_text_end(doc, next_at + 1, stop - 1);
        EXIT WHEN key_end < 0;
        size := martlet.bson_size(doc, type, key_end + 1, stop - 1);
        EXIT WHEN size < 0;
        IF is_spread THEN
            IF type = 3 THEN
                value := martlet.bson_get_json(doc, key_end + 1, key_end + 1 + size, false, names, place);
                IF value IS NOT NULL THEN parts := parts || value; END IF;
            END IF;
        ELSIF substr(doc, next_at + 2, key_end - next_at - 1) = wanted THEN
            IF next_place > cardinality(names) THEN
                RETURN martlet.bson_value_json(doc, type, key_end + 1, size, place);
            END IF;
            IF type NOT IN (3, 4) THEN RETURN NULL; END IF;
            RETURN martlet.bson_get_json(doc, key_end + 1, key_end + 1 + size, type = 4, names, next_place);
        END IF;
        next_at := key_end + 1 + size;
    END LOOP;
    IF is_spread AND cardinality(parts) > 0 THEN RETURN '[' || array_to_string(parts, ', ') || ']'; END IF;
    RETURN NULL;
END $$;

-- The value at a path with dots, as relaxed extended JSON; NULL when there is none. A number is a field's name or a
-- place in an array, and another name within an array means that field of all its documents: `orders.0.price`,
-- `orders.price`. Only what lies on the way is read.
CREATE FUNCTION martlet.bson_get(doc bytea, path text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
DECLARE
    bytes bytea := substr(doc, 1);
    names text[] := string_to_array(path, '.');
    stop integer := martlet.bson_end(bytes);
BEGIN
    IF stop < 0 OR cardinality(names) = 0 OR cardinality(names) > martlet.bson_depth_max() THEN RETURN NULL; END IF;
    RETURN martlet.bson_get_json(bytes, 0, stop, false, names, 1)::jsonb;
END $$;
