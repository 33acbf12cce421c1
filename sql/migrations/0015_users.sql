-- Users and roles.
--
--   definition  a BSON document; of a user: roles, custom data, from where it may log in, and keys that check a proof
--               of its password (RFC 5802: StoredKey and ServerKey). No password can be read from here.
--   id          of a user: one who is dropped and made again is another one
CREATE TABLE martlet.users (
    database   text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    id         bytea NOT NULL CHECK (length(id) = 16),
    definition bytea NOT NULL,
    CONSTRAINT users_name PRIMARY KEY (database, name)
);

CREATE TABLE martlet.roles (
    database   text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    definition bytea NOT NULL,
    CONSTRAINT roles_name PRIMARY KEY (database, name)
);

-- One row. Who changes users or roles locks it first, so that no two changes together make what neither would have
-- made (two roles that inherit from each other).
--
--   generation  one more with each change: by it the servers find out that what they remember is stale
--   secret      from it comes the salt that is shown for a user who does not exist, the same on all servers
CREATE TABLE martlet.access (
    is_only    boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    generation bigint NOT NULL DEFAULT 1,
    secret     bytea NOT NULL
);

-- 244 random bits, from the source that PostgreSQL has for keys.
INSERT INTO martlet.access (secret) VALUES (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

-- The session of a user has that user's hash behind its UUID (48 bytes); only a key of an application has 32.
CREATE OR REPLACE VIEW martlet.guard_report AS
SELECT count(*) AS rows, count(*) FILTER (WHERE expires_at < now()) AS expired_rows,
       count(*) FILTER (WHERE octet_length(lsid) <> 32) AS sessions,
       count(*) FILTER (WHERE octet_length(lsid) = 32) AS idempotency_keys,
       coalesce(sum(octet_length(results)), 0)::bigint AS recorded_bytes,
       pg_total_relation_size('martlet.sessions') AS bytes
  FROM martlet.sessions;
