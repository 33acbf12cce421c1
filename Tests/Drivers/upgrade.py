"""A new version on the tables of an old one: several servers that start at once bring them up to date, once; tables of
a newer version are refused, and so is nothing that runs on them.

    Tests/Drivers/upgrade.py MARTLET
"""

import glob
import os
import subprocess
import sys
import threading

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from servers import Martlet, ServerError, cleaning_up, database, free_port, postgresql_tool

HERE = os.path.dirname(os.path.abspath(__file__))
MIGRATIONS = sorted(glob.glob(os.path.join(HERE, "..", "..", "sql", "migrations", "*.sql")))
SERVERS = 3
REFUSED_SECONDS = 60


def psql(url, *arguments):
    return subprocess.run([postgresql_tool("psql"), "-qAt", "-v", "ON_ERROR_STOP=1", url, *arguments], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def make_old(url, count):
    """The schema as the version with so many migrations left it."""
    arguments = ["-1", "-c", "CREATE SCHEMA martlet", "-c", """CREATE TABLE martlet.schema_migrations (
        version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"""]
    for path in MIGRATIONS[:count]:
        version, name = os.path.basename(path).removesuffix(".sql").split("_", 1)
        arguments += ["-f", path, "-c", f"INSERT INTO martlet.schema_migrations VALUES ({int(version)}, '{name}')"]
    psql(url, *arguments)


def start_at_once(servers):
    problems = []

    def start(server):
        try:
            server.start()
        except ServerError as error:
            problems.append(error)

    threads = [threading.Thread(target=start, args=(server,)) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]


def upgrades(binary, directory, url, count):
    make_old(url, count)
    with cleaning_up([Martlet(binary, directory, url) for _ in range(SERVERS)]) as servers:
        start_at_once(servers)
        logs = [open(server.log_path).read() for server in servers]
        if sum(log.count("schema brought up to date") for log in logs) != 1:
            raise ServerError(f"from version {count}: not done once\n{logs}")
        if sum(f"from={count} to={len(MIGRATIONS)} " in log for log in logs) != 1:
            raise ServerError(f"from version {count}: to another than {len(MIGRATIONS)}\n{logs}")
        versions = psql(url, "-c", "SELECT version FROM martlet.schema_migrations ORDER BY version").split()
        if [int(version) for version in versions] != list(range(1, len(MIGRATIONS) + 1)):
            raise ServerError(f"from version {count}: migrations {versions}")
        for server in servers:
            with MongoClient(server.uri) as client:
                client.test.c.insert_one({"_id": server.port, "a": 1})
                client.test.c.create_index("a")
        with MongoClient(servers[0].uri) as client:
            if client.test.c.count_documents({"a": 1}) != SERVERS:
                raise ServerError(f"from version {count}: documents are missing")
        refuses_newer(binary, url, servers)
        for server in servers:
            server.stop()


def refuses_newer(binary, url, servers):
    """Somebody has started a newer version: this one does not start, and those that run are not disturbed."""
    psql(url, "-c", "INSERT INTO martlet.schema_migrations VALUES (9999, 'of a newer version')")
    done = subprocess.run([binary, "serve", "--listen", f"127.0.0.1:{free_port()}", "--postgresql-url", url],
                          env={**os.environ, "MARTLET_ADMIN_LISTEN": "off"}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=REFUSED_SECONDS)
    words = (f"schema version 9999, this program knows {len(MIGRATIONS)}", "newer Martlet")
    if done.returncode != 1 or not all(word in done.stdout for word in words):
        raise ServerError(f"newer tables: status {done.returncode}\n{done.stdout}")
    with MongoClient(servers[0].uri) as client:
        client.test.c.insert_one({"_id": "after"})


def main():
    binary = os.path.abspath(sys.argv[1])
    try:
        with database() as (postgresql, directory):
            # One migration is new; some are; all are.
            for count in (len(MIGRATIONS) - 1, 10, 1):
                psql(postgresql.url, "-c", f"CREATE DATABASE from_{count}")
                url = postgresql.url.replace("/postgres?", f"/from_{count}?")
                place = os.path.join(directory, f"from_{count}")  # of their own: PostgreSQL lives beside it
                os.mkdir(place)
                upgrades(binary, place, url, count)
    except (ServerError, OSError, PyMongoError, subprocess.SubprocessError) as error:
        sys.exit(f"upgrade: {error}")
    print("ok - upgrade")


main()
