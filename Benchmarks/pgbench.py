"""pgbench with one statement per operation (a transaction for `transfer`), on the PostgreSQL that Martlet runs, with
tables of the shape that Martlet uses, in a database of their own."""

import glob
import os
import re
import subprocess
import time
from contextlib import contextmanager

from generator import Result, checked
from servers import postgresql_tool

BATCH = 1000
TRIES_MAX = 1000

PICK_KEY = "\\set key random(0, :documents - 1)\n"
# The smallest exponent that pgbench takes; load uses 0.99. Like there, neighbours in rank are not neighbours in the
# table.
PICK_ZIPF_KEY = "\\set key permute(random_zipfian(1, :documents, 1.001) - 1, :documents)\n"
# In order, so that a conflict is a serialization failure and never a deadlock, which takes a second to be seen.
PICK_TWO_KEYS = ("\\set low random(0, :keys - 2)\n"
                 "\\set high random(:low + 1, :keys - 1)\n")

UPDATE = "UPDATE documents SET doc = :doc::bytea WHERE id = int8send(:key);\n"
POP = ("DELETE FROM queue WHERE id = (SELECT id FROM queue ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) "
       "RETURNING doc;\n")
REFILL = ("INSERT INTO queue (id, doc) SELECT int8send(nextval('tasks')), :doc::bytea "
          f"FROM generate_series(1, {BATCH});\n")
TRANSFER = ("BEGIN ISOLATION LEVEL REPEATABLE READ;\n"
            "SELECT doc FROM documents WHERE id = int8send(:low);\n"
            "UPDATE documents SET doc = :doc::bytea WHERE id = int8send(:low);\n"
            "UPDATE documents SET doc = :doc::bytea WHERE id = int8send(:high);\n"
            "COMMIT;\n")

# As an SQL user would write down what `load` stores.
ITEM_COLUMNS = ('(id bigint PRIMARY KEY, n int NOT NULL, "group" int NOT NULL, name text NOT NULL, '
                "created timestamptz NOT NULL, padding text NOT NULL) WITH (fillfactor = 90)")
ITEM_NAME = "a document of the load generator"
ITEM_INDEXES = ['("group")', "(created DESC)", '(name, "group")']

SCRIPTS = {
    "bulk": "INSERT INTO inserted (id, doc) SELECT uuid_send(gen_random_uuid()), :doc::bytea "
            f"FROM generate_series(1, {BATCH});\n",
    "insert": "INSERT INTO inserted (id, doc) VALUES (uuid_send(gen_random_uuid()), :doc::bytea);\n",
    "read": PICK_KEY + "SELECT doc FROM documents WHERE id = int8send(:key);\n",
    "update": PICK_KEY + UPDATE,
    "zipf": PICK_ZIPF_KEY + UPDATE,
    "hot": "UPDATE documents SET doc = :doc::bytea WHERE id = int8send(0);\n",
    "scan": "SELECT rid, doc FROM documents;\n",
    "pop": POP,
    "find indexed": '\\set group random(0, 999)\nSELECT * FROM items WHERE "group" = :group LIMIT 10;\n',
    "update indexed": PICK_KEY + "UPDATE items SET n = n + 1 WHERE id = :key;\n",
    "insert indexed": "\\set key random(1, 1000000000000)\n\\set group :key % 1000\n"
                      "\\set created 1700000000 + :key % 100000000\n"
                      f"INSERT INTO inserted_items VALUES (:key, 0, :group, '{ITEM_NAME}', to_timestamp(:created), "
                      ":padding);\n",
    "refill": REFILL,
    "transfer": PICK_TWO_KEYS + TRANSFER,
    # Looks at a byte of every document and finds none.
    "analyst": "SELECT doc FROM documents WHERE get_byte(doc, 100) = 256;\n",
}
# Scripts of a workload that has several, with their weights.
MIXTURES = {
    "mixed": ["read", "update"],
    "queue": [f"pop@{BATCH * 9 // 10}", "refill@1"],
}


class PgBench:
    def __init__(self, server, directory, size, seconds):
        self.directory = directory
        self.seconds = seconds
        self.documents = 0
        [pid_file] = glob.glob(os.path.join(server.data_directory, "**", "postmaster.pid"), recursive=True)
        with open(pid_file) as file:
            lines = file.read().splitlines()
        # Line 4 is the port, line 5 the directory of the socket.
        self.connection = ["--port", lines[3], "--host", lines[4], "--username", "martlet"]
        self.document = "\\x" + bytes(i * 7 % 26 + 97 for i in range(size)).hex()
        self.padding = "".join(chr(i * 7 % 26 + 97) for i in range(max(size - 120, 1)))
        for name, script in SCRIPTS.items():
            with open(self._path(name), "w") as file:
                file.write(script)
        self._create_tables()

    def _create_tables(self):
        self._psql("postgres", "CREATE DATABASE load")
        for table in ("documents", "inserted", "queue"):
            self._psql("load", f"CREATE TABLE {table} (id bytea PRIMARY KEY, rid bigint GENERATED ALWAYS AS IDENTITY, "
                               "doc bytea NOT NULL) WITH (fillfactor = 90)")
        self._psql("load", "CREATE SEQUENCE tasks")

    def build_indexes(self, documents):
        """Fills a table with typed columns; the seconds that its three indexes take."""
        for table in ("items", "inserted_items"):
            self._psql("load", f"DROP TABLE IF EXISTS {table}")
            self._psql("load", f"CREATE TABLE {table} {ITEM_COLUMNS}")
        self._psql("load", f"INSERT INTO items SELECT n, 0, n % 1000, '{ITEM_NAME}', to_timestamp(1700000000 + n), "
                           f"'{self.padding}' FROM generate_series(0, {documents - 1}) n")
        self._psql("load", "VACUUM ANALYZE items")
        self.checkpoint()
        start = time.monotonic()
        self._create_indexes("items")
        seconds = time.monotonic() - start
        self._create_indexes("inserted_items")
        return seconds

    def _create_indexes(self, table):
        self._psql("load", "; ".join(f"CREATE INDEX ON {table} {columns}" for columns in ITEM_INDEXES))

    def _prepare(self, documents):
        if documents != self.documents:
            self._psql("load", "TRUNCATE documents")
            self._psql("load", f"INSERT INTO documents (id, doc) SELECT int8send(n), '{self.document}' "
                               f"FROM generate_series(0, {documents - 1}) n")
            self._psql("load", "VACUUM ANALYZE documents")
            self.documents = documents
        self._psql("load", "TRUNCATE inserted, queue")
        self._psql("load", REFILL.replace(":doc", f"'{self.document}'").replace(f"1, {BATCH}", f"1, {10 * BATCH}"))
        self.checkpoint()

    def checkpoint(self):
        """Otherwise one that the measurement before has brought near falls into the next."""
        self._psql("postgres", "CHECKPOINT")

    def settle(self):
        """Otherwise autovacuum comes to a collection just filled when it likes."""
        checked([postgresql_tool("vacuumdb"), *self.connection, "--all", "--analyze", "--quiet"])
        self.checkpoint()

    def measure(self, workload, clients, documents, keys=None, analysts=0):
        self._prepare(documents)
        for log in glob.glob(os.path.join(self.directory, "pgbench_log*")):
            os.remove(log)
        scripts = MIXTURES.get(workload, [workload])
        with self._analysts(analysts):
            output = checked(self._command(scripts, clients, keys or documents) + ["--log", "load"],
                             cwd=self.directory)
        transactions = float(re.search(r"tps = ([0-9.]+)", output).group(1))
        p50, p99 = self._latencies()
        factor = {"bulk": BATCH, "scan": documents}.get(workload, 1)
        return Result(transactions * factor, p50, p99, details=retries(output))

    def _command(self, scripts, clients, keys):
        command = [postgresql_tool("pgbench"), *self.connection, "--no-vacuum", "--protocol", "prepared",
                   "--client", str(clients), "--jobs", str(min(clients, os.cpu_count())),
                   "--time", str(self.seconds), "--max-tries", str(TRIES_MAX),
                   "--define", f"documents={self.documents}", "--define", f"keys={keys}",
                   "--define", f"doc={self.document}", "--define", f"padding={self.padding}"]
        for script in scripts:
            name, *weight = script.split("@")
            command += ["--file", "@".join([self._path(name), *weight])]
        return command

    @contextmanager
    def _analysts(self, count):
        if count == 0:
            yield
            return
        command = self._command(["analyst"], count, 1) + ["load"]
        process = subprocess.Popen(command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            process.terminate()
            process.wait()

    def _latencies(self):
        times = []
        for log in glob.glob(os.path.join(self.directory, "pgbench_log*")):
            with open(log) as file:
                fields = (line.split()[2] for line in file)
                times += [int(time) for time in fields if time.isdigit()]  # or "failed"
        times.sort()
        if not times:
            return 0, 0
        return times[len(times) // 2] / 1000, times[len(times) * 99 // 100] / 1000

    def _path(self, name):
        return os.path.join(self.directory, f"{name}.sql")

    def _psql(self, database, statement):
        checked([postgresql_tool("psql"), *self.connection, "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1",
                 "--dbname", database, "--command", statement])


def retries(output):
    found = re.search(r"total number of retries: (\d+)", output)
    done = re.search(r"number of transactions actually processed: (\d+)", output)
    return {"retries": int(found.group(1)) if found else 0, "done": int(done.group(1)) if done else 0}
