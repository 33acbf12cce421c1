"""Builds indexes under load, and kills the server that builds them.

    Tests/Drivers/indexes.py MARTLET [--documents N] [--seed N]

Two servers share one PostgreSQL. Threads insert, update and delete through the second while the first builds four
indexes: at first to the end, then until it is killed (kill -9) in the midst of it. The second must go on with that
build. In the end each index must find what a scan finds, a unique one must refuse a duplicate, and nothing may be left
of the builds.
"""

import argparse
import random
import subprocess
import sys
import threading
import time

from pymongo import MongoClient
from pymongo.errors import DuplicateKeyError, PyMongoError

from servers import Martlet, ServerError, cleaning_up, database, postgresql_tool, wait_until

TAKEOVER_SECONDS = 120
WRITERS = 3
WORDS = "ale apple bread butter cream garlic honey lemon milk onion pepper rice salt sugar tea".split()


def rows(postgresql, statement):
    done = subprocess.run([postgresql_tool("psql"), postgresql.url, "-XAt", "-c", statement],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise ServerError(done.stderr.strip())
    return done.stdout.splitlines()


class Load:
    """Writers, each on documents of its own."""

    def __init__(self, uri, seed, documents):
        self.stopped = threading.Event()
        self.problems = []
        self.writes = 0
        self.threads = [threading.Thread(target=self._run, args=(uri, seed, number, documents), daemon=True)
                        for number in range(WRITERS)]
        for thread in self.threads:
            thread.start()

    def _run(self, uri, seed, number, documents):
        generator = random.Random(seed * 100 + number)
        collection = MongoClient(uri).test.built
        made = 0
        try:
            while not self.stopped.is_set():
                chosen = generator.randrange(documents // WRITERS) * WRITERS + number
                action = generator.randrange(4)
                if action == 0:
                    made += 1
                    collection.insert_one(document(f"{number}-{made}-{seed}", generator))
                elif action == 1:
                    collection.delete_one({"_id": chosen})
                else:
                    fields = {"a": generator.randrange(50), "tags": [generator.randrange(20), 3],
                              "text": words(generator)}
                    collection.update_one({"_id": chosen}, {"$set": fields})
                self.writes += 1
        except PyMongoError as error:
            self.problems.append(repr(error))

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join(60)
        if self.problems:
            raise ServerError(f"the writers failed: {self.problems}")
        if not self.writes:
            raise ServerError("nothing was written")


def words(generator):
    return " ".join(generator.choices(WORDS, k=generator.randrange(8)))


def document(identifier, generator):
    return {"_id": identifier, "u": f"u{identifier}", "a": generator.randrange(50), "text": words(generator),
            "tags": [generator.randrange(20) for _ in range(generator.randrange(3))], "filler": "x" * 300}


def fill(collection, count, generator):
    for start in range(0, count, 5_000):
        collection.insert_many([document(n, generator) for n in range(start, min(start + 5_000, count))])


def check(collection, names):
    if sorted(collection.index_information()) != sorted(["_id_", *names]):
        raise ServerError(f"indexes: {sorted(collection.index_information())}")
    everything = list(collection.find())
    for value in range(0, 50, 7):
        compare(collection, {"a": value}, "a_1", [d["_id"] for d in everything if d["a"] == value])
    for value in range(0, 20, 3):
        compare(collection, {"tags": value}, "tags_1_a_-1", [d["_id"] for d in everything if value in d["tags"]])
    for word, other in zip(WORDS, WORDS[4:]):
        search = {"$text": {"$search": f"{word} -{other}"}}
        compare(collection, search, None,
                [d["_id"] for d in everything if word in d["text"].split() and other not in d["text"].split()])
    for found in everything[:50] + everything[-50:]:
        compare(collection, {"u": found["u"]}, "u_1", [found["_id"]])
    try:
        collection.insert_one({"u": everything[0]["u"]})
    except DuplicateKeyError:
        return
    raise ServerError("the unique index takes a duplicate")


def compare(collection, query, index, expected):
    # What is asked of a text index says so by itself, and may have no hint.
    found = [d["_id"] for d in collection.find(query, {"_id": 1}, hint=index)]
    if sorted(map(str, found)) != sorted(map(str, expected)):
        raise ServerError(f"{query} by {index} finds {len(found)} documents instead of {len(expected)}")


def build(collection):
    collection.database.command({
        "createIndexes": collection.name,
        "indexes": [{"key": {"u": 1}, "name": "u_1", "unique": True}, {"key": {"a": 1}, "name": "a_1"},
                    {"key": {"tags": 1, "a": -1}, "name": "tags_1_a_-1"},
                    {"key": {"text": "text"}, "name": "text_text"}],
    })


def build_and_die(server, postgresql):
    """Kills the server when it has read a part of the documents."""
    def run():
        try:
            build(MongoClient(server.uri, retryWrites=False).test.built)
        except PyMongoError:
            pass  # it was killed

    threading.Thread(target=run, daemon=True).start()
    wait_until(lambda: rows(postgresql, "SELECT number FROM martlet.index_builds WHERE done > 0"), 60, "a build begins")
    server.kill()
    if not rows(postgresql, "SELECT number FROM martlet.index_builds"):
        raise ServerError("the build was over before the server was killed: take more documents")


def left(postgresql):
    return rows(postgresql, r"""
        SELECT number::text FROM martlet.index_builds
        UNION ALL SELECT tgname::text FROM pg_trigger WHERE tgname LIKE 'build\_%'
        UNION ALL SELECT relname::text FROM pg_class WHERE relname LIKE 'build\_%' AND relkind = 'r'""")


def run(arguments):
    names = ["u_1", "a_1", "tags_1_a_-1", "text_text"]
    with database() as (postgresql, directory):
        servers = [Martlet(arguments.server, directory, postgresql.url) for _ in range(2)]
        with cleaning_up(servers) as [builder, other]:
            builder.start()
            other.start()
            collection = MongoClient(other.uri).test.built
            fill(collection, arguments.documents, random.Random(arguments.seed))
            load = Load(other.uri, arguments.seed, arguments.documents)
            build(MongoClient(builder.uri).test.built)
            load.stop()
            check(collection, names)
            collection.drop_indexes()
            load = Load(other.uri, arguments.seed + 1, arguments.documents)
            build_and_die(builder, postgresql)
            wait_until(lambda: not rows(postgresql, "SELECT number FROM martlet.index_builds"), TAKEOVER_SECONDS,
                       "the other server ends the build")
            load.stop()
            check(collection, names)
            if remains := left(postgresql):
                raise ServerError(f"left of builds: {remains}")
            other.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server")
    parser.add_argument("--documents", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    try:
        run(arguments)
    except (ServerError, PyMongoError) as error:
        print(f"seed {arguments.seed}: {error}")
        return 1
    print("ok - indexes")
    return 0


sys.exit(main())
