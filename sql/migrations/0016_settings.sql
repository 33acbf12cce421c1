-- What operators have set for all servers on this database, and what outlives them: documents by name. Servers read
-- the table once a second.
CREATE TABLE martlet.settings (
    name       text COLLATE "C" PRIMARY KEY,
    value      bytea NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);
