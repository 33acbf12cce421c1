"""Follows a capped collection while two servers write into it: nothing may be skipped, nothing may come twice.

    Tests/Drivers/capped.py MARTLET [--seconds N]

Two Martlet servers share one PostgreSQL. Threads insert through both of them, one by one and many at once, each
document with its writer's name and a number that grows; a transaction of PostgreSQL stays open all the while. Tailable
cursors that wait for data, on both servers, must each see every document once, all in the same order, and those of one
writer in the order of their numbers. Beside that a small collection turns over under its cursors, which may lose their
place (136) but must not skip a document without saying so; and its sums must agree with what it holds. The delay
between an insert and its arrival at a waiting cursor is reported, for the same server and for the other one.
"""

import argparse
import subprocess
import sys
import threading
import time

from bson import Int64
from pymongo import CursorType, MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from servers import ServerError, database, postgresql_tool, servers_on, wait_until

POSITION_LOST = 136
CURSOR_KILLED = 237
QUERY_PLAN_KILLED = 175


class Failed(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise Failed(what)


class Follower(threading.Thread):
    """Reads on from a tailable cursor until it has seen the last document, or lost its place."""

    def __init__(self, collection):
        super().__init__(daemon=True)
        self.cursor = collection.find({}, cursor_type=CursorType.TAILABLE_AWAIT).max_await_time_ms(500)
        # The first batch, so that the cursor stands before the writers begin.
        self.seen = [next(self.cursor)]
        self.delays = []
        self.error = None

    def run(self):
        try:
            while True:
                document = next(self.cursor, None)
                if document is None:
                    expect(self.cursor.alive, "a tailable cursor ended at the end of the data")
                    continue
                self.seen.append(document)
                if document.get("last"):
                    return
                self.delays.append(time.time() - document["at"])
        except (PyMongoError, Failed) as error:
            self.error = error


def write(collection, writer, stop, padding=""):
    number = 0
    while not stop.is_set():
        batch = [{"writer": writer, "n": number + i, "at": time.time(), "p": padding} for i in range(1 + number % 5)]
        if len(batch) == 1:
            collection.insert_one(batch[0])
        else:
            collection.insert_many(batch, ordered=number % 2 == 0)
        number += len(batch)


class OpenTransaction:
    """A transaction of PostgreSQL that has written something long ago and does not end."""

    def __init__(self, postgresql):
        command = [postgresql_tool("psql"), "-q", postgresql.url]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self.process.stdin.write("BEGIN; CREATE TABLE public.unfinished (a int);\n")
        self.process.stdin.flush()

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def psql(postgresql, statement):
    command = [postgresql_tool("psql"), "-At", postgresql.url, "-c", statement]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def run_writers(collections, seconds, padding=""):
    stop = threading.Event()
    failures = []

    def guarded(collection, writer):
        try:
            write(collection, writer, stop, padding)
        except PyMongoError as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(collections[i % 2], f"w{i}")) for i in range(6)]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    expect(not failures, f"writers failed: {failures[:3]}")


def follow_everything(collections, seconds):
    collections[0].database.create_collection("log", capped=True, size=1 << 30)
    logs = [collection.database["log"] for collection in collections]
    logs[0].insert_one({"writer": "first", "n": 0, "at": time.time()})
    followers = [Follower(logs[i % 2]) for i in range(4)]
    for follower in followers:
        follower.start()
    run_writers(logs, seconds)
    logs[1].insert_one({"last": True})
    for follower in followers:
        follower.join(30)
        expect(not follower.is_alive(), "a follower has not seen the last document")
        expect(follower.error is None, f"a follower failed: {follower.error}")
    stored = [document["_id"] for document in logs[0].find({})]
    for follower in followers:
        seen = [document["_id"] for document in follower.seen]
        expect(len(set(seen)) == len(seen), "a document was seen twice")
        expect(seen == stored, f"seen {len(seen)} documents of {len(stored)}, or in another order")
        newest = {}
        for document in follower.seen[:-1]:
            expect(newest.get(document["writer"], -1) < document["n"], "a writer's documents are out of order")
            newest[document["writer"]] = document["n"]
    return len(stored)


def follow_what_turns_over(collections, postgresql, seconds):
    collections[0].database.create_collection("small", capped=True, size=200_000, max=500)
    small = [collection.database["small"] for collection in collections]
    small[0].insert_one({"writer": "first", "n": 0, "at": time.time()})
    followers = [Follower(small[i % 2]) for i in range(4)]
    for follower in followers:
        follower.start()
    run_writers(small, seconds, padding="x" * 300)
    small[1].insert_one({"last": True})
    lost = 0
    for follower in followers:
        follower.join(30)
        expect(not follower.is_alive(), "a follower has not come to an end")
        if follower.error is not None:
            expect(getattr(follower.error, "code", None) == POSITION_LOST, f"a follower failed: {follower.error}")
            lost += 1
        newest = {}
        for document in follower.seen:
            if document.get("last"):
                continue
            before = newest.get(document["writer"])
            expect(before is None or document["n"] == before + 1,
                   f"{document['writer']}: {document['n']} after {before}")
            newest[document["writer"]] = document["n"]
    expect(small[0].count_documents({}) <= 500, "more documents than allowed")
    for row in psql(postgresql, "SELECT number, bytes, documents, size FROM martlet.capped").splitlines():
        number, held, documents, size = map(int, row.split("|"))
        table = f"martlet.documents_{number}"
        actual = psql(postgresql, f"SELECT coalesce(sum(octet_length(doc)), 0), count(*) FROM {table}")
        expect(actual == f"{held}|{documents}", f"collection {number}: counted {held}|{documents}, is {actual}")
        expect(held <= size, f"collection {number} holds {held} bytes of {size}")
    return lost


def measure_delays(collections, rounds=40):
    """Seconds from an insert to its arrival at a waiting cursor: on the same server, and on the other."""
    medians = []
    for writer in range(2):
        collections[0].database.drop_collection("ping")
        collections[0].database.create_collection("ping", capped=True, size=1 << 20)
        pings = [collection.database["ping"] for collection in collections]
        pings[0].insert_one({"at": 0})
        follower = Follower(pings[0])
        follower.start()
        for _ in range(rounds):
            time.sleep(0.05)
            pings[writer].insert_one({"at": time.time()})
        pings[writer].insert_one({"last": True})
        follower.join(30)
        expect(not follower.is_alive() and follower.error is None, f"a follower failed: {follower.error}")
        delays = sorted(follower.delays[-rounds:])
        medians.append(delays[len(delays) // 2])
    return medians


def check_ends(database):
    """How a cursor that waits ends: in time, when it is killed, when its operation is, when its collection goes."""
    database.create_collection("ends", capped=True, size=1 << 20)
    database["ends"].insert_one({})

    def open_cursor():
        reply = database.command("find", "ends", tailable=True, awaitData=True)
        return reply["cursor"]["id"]

    def wait_in_background(cursor_id):
        result = []

        def wait():
            try:
                result.append(database.command("getMore", Int64(cursor_id), collection="ends", maxTimeMS=600_000))
            except OperationFailure as error:
                result.append(error.code)
        thread = threading.Thread(target=wait)
        thread.start()
        wait_until(lambda: list(waiting()), 30, "the getMore does not show in currentOp")
        return thread, result

    def waiting():
        for operation in database.client.admin.command("currentOp")["inprog"]:
            if "getMore" in operation.get("command", {}):
                yield operation["opid"]

    def ended(thread, result):
        thread.join(30)
        expect(not thread.is_alive(), "a getMore waits on")
        return result[0]

    start = time.monotonic()
    reply = database.command("getMore", Int64(open_cursor()), collection="ends", maxTimeMS=300)
    expect(reply["cursor"]["id"] != 0 and reply["cursor"]["nextBatch"] == [], f"an empty wait gave {reply}")
    expect(0.25 < time.monotonic() - start < 20, "the wait took another time than was asked for")

    cursor_id = open_cursor()
    thread, result = wait_in_background(cursor_id)
    database.command("killCursors", "ends", cursors=[Int64(cursor_id)])
    expect(ended(thread, result) == CURSOR_KILLED, f"killCursors gave {result}")

    thread, result = wait_in_background(open_cursor())
    for operation in waiting():
        database.client.admin.command("killOp", op=operation)
    expect(ended(thread, result) == 11601, f"killOp gave {result}")

    thread, result = wait_in_background(open_cursor())
    database["ends"].drop()
    expect(ended(thread, result) == QUERY_PLAN_KILLED, f"drop gave {result}")


def run(binary, seconds):
    with database() as (postgresql, directory), servers_on(postgresql, directory, binary, 2) as servers:
        collections = [MongoClient(server.uri)["capped_test"]["c"] for server in servers]
        unfinished = OpenTransaction(postgresql)
        followed = follow_everything(collections, seconds)
        lost = follow_what_turns_over(collections, postgresql, seconds)
        unfinished.end()
        same, other = measure_delays(collections)
        check_ends(collections[0].database)
    print(f"ok - capped: {followed} documents followed by 4 cursors, {lost} of 4 lost their place in the small "
          f"collection; median delay {same * 1000:.1f} ms on the same server, {other * 1000:.1f} ms on the other")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--seconds", type=float, default=4)
    arguments = parser.parse_args()
    try:
        run(arguments.binary, arguments.seconds)
    except (Failed, ServerError) as error:
        sys.exit(f"not ok - capped: {error}")


if __name__ == "__main__":
    main()
