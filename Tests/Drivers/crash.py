"""Kills what can be killed and checks that nothing acknowledged is lost.

    Tests/Drivers/crash.py MARTLET
"""

import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from servers import Martlet, PostgreSQL, ServerError, directory_with, wait_until

WRITERS = 8
DATABASE = "crash"
RECOVERY_SECONDS = 60


class Writer(threading.Thread):
    """Inserts until the server is gone, and remembers what was acknowledged."""

    def __init__(self, uri, name):
        super().__init__(daemon=True)
        self.client = MongoClient(uri, retryWrites=False, serverSelectionTimeoutMS=2000)
        self.name = name
        self.acknowledged = []
        self.stopping = threading.Event()

    def run(self):
        documents = self.client[DATABASE].documents
        number = 0
        while not self.stopping.is_set():
            # Single documents and batches take different ways through the server.
            batch = [{"_id": f"{self.name}-{number + i}", "text": "x" * 500} for i in range(1 + number % 7)]
            number += len(batch)
            try:
                documents.insert_many(batch) if len(batch) > 1 else documents.insert_one(batch[0])
            except PyMongoError:
                break  # not acknowledged: it may be there or not
            self.acknowledged += [document["_id"] for document in batch]
        self.client.close()


def write_while(uri, name, disturb, seconds=2):
    """Runs writers for a while, then calls `disturb` in the midst of them. Returns what was acknowledged."""
    writers = [Writer(uri, f"{name}-{i}") for i in range(WRITERS)]
    for writer in writers:
        writer.start()
    time.sleep(seconds)
    disturb()
    for writer in writers:
        writer.stopping.set()
    for writer in writers:
        writer.join(RECOVERY_SECONDS)
        if writer.is_alive():
            raise ServerError(f"{name}: an insert had no answer within {RECOVERY_SECONDS} s")
    acknowledged = {identifier for writer in writers for identifier in writer.acknowledged}
    if not acknowledged:
        raise ServerError(f"{name}: no insert was acknowledged before the crash")
    return acknowledged


def stored(uri):
    with MongoClient(uri, serverSelectionTimeoutMS=10_000) as client:
        return {row["_id"] for row in client[DATABASE].documents.find({}, {"_id": 1})}


def expect_all(acknowledged, uri, what):
    lost = acknowledged - stored(uri)
    if lost:
        raise ServerError(f"{what}: lost {len(lost)} of {len(acknowledged)} acknowledged: {sorted(lost)[:5]}")


def can_write(uri):
    try:
        with MongoClient(uri, retryWrites=False, serverSelectionTimeoutMS=500) as client:
            return client[DATABASE].probe.insert_one({}).acknowledged
    except PyMongoError:
        return False


def test_killed_server(binary):
    """kill -9 of the server: the next one on the same directory has every acknowledged document."""
    with directory_with(lambda directory: [Martlet(binary, directory)]) as [server]:
        acknowledged = set()
        for round in range(3):
            server.start()
            acknowledged |= write_while(server.uri, f"round{round}", server.kill)
        server.start()
        expect_all(acknowledged, server.uri, "killed server")
        server.stop()


def test_killed_postgresql(binary):
    """kill -9 of the embedded PostgreSQL: the server stays, recovers it and has every acknowledged document."""
    with directory_with(lambda directory: [Martlet(binary, directory)]) as [server]:
        server.start()
        acknowledged = set()
        for round in range(2):
            kill = lambda: os.kill(server.postmaster(), signal.SIGKILL)
            acknowledged |= write_while(server.uri, f"round{round}", kill)
            wait_until(lambda: can_write(server.uri), RECOVERY_SECONDS, "writes after PostgreSQL was killed")
            if not server.is_running():
                raise ServerError(f"the server did not outlive its PostgreSQL\n{server.log_tail()}")
        expect_all(acknowledged, server.uri, "killed PostgreSQL")
        server.stop()


def increment(client, count, counters, acknowledged, failures):
    collection = client[DATABASE].counters
    for i in range(count):
        counter = i % counters
        try:
            result = collection.update_one({"_id": counter}, {"$inc": {"n": 1}})
        except PyMongoError as error:
            failures.append(error)
            return
        acknowledged[counter] += result.modified_count


def test_shared_postgresql(binary, threads=8, increments=300, counters=3):
    """Two servers on one PostgreSQL increment the same documents: no update is lost."""
    with directory_with(lambda directory: [PostgreSQL(directory)]) as [postgresql]:
        postgresql.start()
        url = postgresql.url
        with directory_with(lambda directory: [Martlet(binary, directory, url) for _ in range(2)]) as servers:
            # Both at once: two servers may meet an empty database.
            with ThreadPoolExecutor() as pool:
                list(pool.map(Martlet.start, servers))
            run_increments(servers, threads, increments, counters)
            for server in servers:
                server.stop()
        postgresql.stop()


def run_increments(servers, threads, increments, counters):
    clients = [MongoClient(server.uri, serverSelectionTimeoutMS=10_000) for server in servers]
    # Created through one server, used through both.
    clients[0][DATABASE].counters.insert_many([{"_id": i, "n": 0} for i in range(counters)])
    acknowledged = [[0] * counters for _ in range(threads)]
    failures = []
    with ThreadPoolExecutor(threads) as pool:
        for i in range(threads):
            pool.submit(increment, clients[i % 2], increments, counters, acknowledged[i], failures)
    if failures:
        raise ServerError(f"{len(failures)} of {threads} threads failed: {failures[0]!r}")
    expected = [sum(column) for column in zip(*acknowledged)]
    for client in clients:
        rows = sorted(client[DATABASE].counters.find(), key=lambda row: row["_id"])
        if [row["n"] for row in rows] != expected:
            raise ServerError(f"acknowledged {expected}, stored {rows}")
        client.close()
    if sum(expected) != threads * increments:
        raise ServerError(f"{threads * increments} increments were sent, only {sum(expected)} acknowledged as modified")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: crash.py MARTLET")
    for test in (test_killed_server, test_killed_postgresql, test_shared_postgresql):
        try:
            test(sys.argv[1])
        except (ServerError, OSError, PyMongoError) as error:
            sys.exit(f"crash: {test.__name__}: {error}")
    print("ok - crash")


main()
