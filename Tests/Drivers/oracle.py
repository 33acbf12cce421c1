"""Compares filters and updates on random documents with mongomock, an independent implementation in Python.

    Tests/Drivers/oracle.py MARTLET [--seconds 20] [--seed N]
    Tests/Drivers/oracle.py --uri URI [--seconds 20] [--seed N]

Each round puts the same documents into both, asks both for what random filters match, and applies random updates to
both. Where they differ, one is wrong. Places where it is mongomock are in `EXCUSES`, each with its reason and as
narrow as can be said; anything else fails. A failed round prints its seed, which brings it back.
"""

import argparse
import random
import sys
import time
import warnings

import mongomock
import pymongo
from pymongo.errors import PyMongoError

from oracle.differ import compare_filter, compare_update
from oracle.excuses import EXCUSES
from oracle.generator import Generator
from servers import ServerError, lone_server

DOCUMENTS = 12
FILTERS = 40
UPDATES = 25


class Tally:
    def __init__(self):
        self.rounds = self.filters = self.updates = self.matches = self.changes = self.skipped = 0
        self.excused = {excuse.reason: 0 for excuse in EXCUSES}

    def excuse(self, excuse):
        self.excused[excuse.reason] += 1


def run_round(seed, database, tally):
    """Returns what was wrong, or None."""
    generator = Generator(random.Random(seed))
    documents = [generator.document(number) for number in range(DOCUMENTS)]
    ours = database.oracle
    theirs = mongomock.MongoClient(tz_aware=False).test.oracle
    ours.drop()
    ours.insert_many([dict(document) for document in documents])
    theirs.insert_many([dict(document) for document in documents])
    for _ in range(FILTERS):
        problem = compare_filter(ours, documents, generator.filter(), tally)
        if problem:
            return problem
    for _ in range(UPDATES):
        problem = compare_update(ours, theirs, documents, *generator.update(), tally)
        if problem:
            return problem
    tally.rounds += 1
    return None


def run(uri, seconds, seed):
    client = pymongo.MongoClient(uri)
    tally = Tally()
    end = time.monotonic() + seconds
    seeds = [seed] if seed is not None else iter(lambda: random.getrandbits(32), None)
    for current in seeds:
        problem = run_round(current, client.oracle, tally)
        if problem:
            print(f"--seed {current}\n{problem}")
            return 1
        if time.monotonic() > end:
            break
    for reason, count in tally.excused.items():
        print(f"  mongomock is wrong {count} times: {reason}")
    print(f"  {tally.skipped} that mongomock cannot do")
    # An oracle that never says yes has compared nothing.
    if seed is None and (tally.matches < tally.rounds or tally.changes < tally.rounds):
        print(f"only {tally.matches} matches and {tally.changes} changes in {tally.rounds} rounds")
        return 1
    print(f"ok - {tally.rounds} rounds, {tally.filters} filters ({tally.matches} documents matched), "
          f"{tally.updates} updates ({tally.changes} documents changed)")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", nargs="?")
    parser.add_argument("--uri")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.uri:
        return run(arguments.uri, arguments.seconds, arguments.seed)
    if not arguments.server:
        parser.error("MARTLET or --uri is needed")
    try:
        with lone_server(arguments.server) as server:
            return run(server.uri, arguments.seconds, arguments.seed)
    except (ServerError, PyMongoError) as error:
        print(error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
