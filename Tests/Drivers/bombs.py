"""Sends commands that are short to write and endless to answer, each with a time limit: nested loops, values that
double, searches in long texts, thousands of conditions, stages over millions of documents made of one.

    Tests/Drivers/bombs.py MARTLET [--only TEXT] [--max-time-ms 300]

Each must end, by its limit of time or of memory or because it is done; the server must answer meanwhile, and hold
no more memory than it should. How long each ran on beyond its limit is printed, not judged: machines are busy.
"""

import argparse
import sys
import time

from pymongo import MongoClient
from pymongo.errors import OperationFailure

from bombs.commands import LARGE, MANY, commands
from servers import lone_server

# Nothing goes on for as long, whatever the machine does besides.
PATIENCE_SECONDS = 60
RESIDENT_BYTES_MAX = 2 << 30
TIME_LIMIT = 50
# ExceededMemoryLimit, what is too large (documents, strings, $facet, $graphLookup, $lookup, $densify), and steps of a
# regular expression; and a text that is looked through in time and is no number.
REFUSED = {146, 241, 292, 4568, 10334, 16493, 40099, 51156, 4031700, 5897900}


def fill(database):
    database[LARGE].insert_one({
        "_id": 1, "numbers": list(range(600_000)), "documents": [{"a": {"b": [{"c": n}]}} for n in range(40_000)],
        "text": "x" * 1_000_000})
    database[MANY].insert_many([{"_id": n, "n": n, "next": [n + 1, n + 2]} for n in range(20_000)])


def resident_bytes(pid, key="VmRSS"):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith(key))


def outcome(database, command):
    """The code of the error, 0 if there is none."""
    try:
        reply = database.command(command)
    except OperationFailure as error:
        return error.code
    return reply["writeErrors"][0]["code"] if reply.get("writeErrors") else 0


def throw(database, server, name, command, max_time_ms):
    start = time.monotonic()
    code = outcome(database, command)
    beyond = (time.monotonic() - start) * 1000 - max_time_ms
    if code not in {0, TIME_LIMIT} | REFUSED:
        raise AssertionError(f"{name}: code {code}")
    if (resident := resident_bytes(server.process.pid)) > RESIDENT_BYTES_MAX:
        raise AssertionError(f"{name}: the server holds {resident >> 20} MB")
    return beyond, code


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("martlet")
    parser.add_argument("--only", default="")
    parser.add_argument("--max-time-ms", type=int, default=300)
    arguments = parser.parse_args()
    slowest, count = [], 0
    with lone_server(arguments.martlet) as server:
        client = MongoClient(server.uri, socketTimeoutMS=PATIENCE_SECONDS * 1000, retryReads=False, retryWrites=False)
        database = client["bombs"]
        fill(database)
        for name, command in commands(arguments.max_time_ms):
            if arguments.only not in name:
                continue
            try:
                beyond, code = throw(database, server, name, command, arguments.max_time_ms)
            except Exception as error:
                raise AssertionError(f"{name}: {error}; status {server.process.poll()}") from error
            client.admin.command("ping")
            slowest.append((round(beyond), name, code))
            count += 1
        most = resident_bytes(server.process.pid, "VmHWM") >> 20
    for beyond, name, code in sorted(slowest, reverse=True)[:10]:
        print(f"{beyond:6d} ms beyond its limit: {name} ({code})")
    print(f"{count} bombs, at most {most} MB")
    print("ok - bombs")


if __name__ == "__main__":
    sys.exit(main())
