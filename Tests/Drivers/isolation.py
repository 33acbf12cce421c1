"""Looks for anomalies of isolation: random transactions from several threads, then a checker on what they saw.

    Tests/Drivers/isolation.py MARTLET [--seconds 20] [--seed N] [--servers 1] [--threads 8] [--disturb [SECONDS]]
    Tests/Drivers/isolation.py --reference

Under read concern snapshot, which transactions have by default, nothing but write skew may be found; under
`serializable` nothing at all. `--disturb` ends database connections at random meanwhile. `--reference` proves the
checker on PostgreSQL's own levels instead: READ COMMITTED must show anomalies.
"""

import argparse
import random
import sys
import threading
import time
from contextlib import contextmanager

from pymongo.errors import PyMongoError

from isolation.checker import check, forbidden, names
from isolation.generator import WORKLOADS, WriteSkew
from isolation.history import Status
from isolation.martlet import MartletStore
from isolation.postgresql import Connection, PostgreSQLStore, SQLError
from isolation.runner import Run, StoreError
from isolation.selftest import problems
from servers import ServerError, database, servers_on

LEVELS = ("snapshot", "serializable")
REFERENCE = {"READ COMMITTED": None, "REPEATABLE READ": "snapshot", "SERIALIZABLE": "serializable"}
SHOWN = 3  # anomalies of a kind
DISTURBANCE_SECONDS = 0.3  # between two


class Failed(Exception):
    pass


class Disturber(threading.Thread):
    """Ends one of the database's connections again and again."""

    def __init__(self, url, seconds):
        super().__init__(daemon=True)
        self.url = url
        self.seconds = seconds
        self.stopping = threading.Event()

    def run(self):
        connection = Connection(self.url)
        while not self.stopping.wait(self.seconds):
            connection.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                             "AND backend_type = 'client backend' ORDER BY random() LIMIT 1")
        connection.close()


@contextmanager
def disturbance(url, seconds):
    disturber = Disturber(url, seconds) if seconds else None
    if disturber:
        disturber.start()
    try:
        yield
    finally:
        if disturber:
            disturber.stopping.set()
            disturber.join()


def run(store, workload, level, arguments, url):
    """Runs one workload, prints a line, and returns the anomalies."""
    start = time.monotonic()
    with disturbance(url, arguments.disturb):
        seed = f"{arguments.seed} {level} {workload.name}"
        history = Run(workload, arguments.each).on(store, arguments.threads, seed)
    middle = time.monotonic()
    anomalies = check(history)
    counts = ", ".join(f"{history.count(status)} {status.value}" for status in Status)
    found = ", ".join(f"{name} {count}" for name, count in sorted(names(anomalies).items())) or "no anomaly"
    print(f"{level:15} {workload.name:10} {middle - start:5.1f} s: {counts}: {found} "
          f"(checked in {time.monotonic() - middle:.1f} s)", flush=True)
    if history.errors:
        raise Failed(f"{level}, {workload.name}: unexpected error: {history.errors[0]}")
    if history.count(Status.OK) < 10:
        raise Failed(f"{level}, {workload.name}: hardly a transaction has committed")
    return anomalies


def explain(anomalies):
    lines, shown = [], {}
    for anomaly in anomalies:
        shown[anomaly.name] = shown.get(anomaly.name, 0) + 1
        if shown[anomaly.name] <= SHOWN:
            lines.append(f"{anomaly.name}: {anomaly.detail}")
    return "\n".join(lines)


def test_server(arguments):
    with database() as (postgresql, directory), \
            servers_on(postgresql, directory, arguments.martlet, arguments.servers) as servers:
        for level in LEVELS:
            for kind in WORKLOADS:
                store = MartletStore([server.uri for server in servers], level)
                anomalies = run(store, kind(), level, arguments, postgresql.url)
                store.close()
                if bad := forbidden(anomalies, level):
                    raise Failed(f"{level}, {kind.name}: {dict(names(bad))}\n{explain(bad)}")
                if level == "snapshot" and kind is WriteSkew and not anomalies:
                    print("# no write skew under snapshot: this run cannot tell the two levels apart", flush=True)


def test_reference(arguments):
    with database() as (postgresql, _):
        for level, name in REFERENCE.items():
            total = []
            for kind in WORKLOADS:
                store = PostgreSQLStore(postgresql.url, level)
                anomalies = run(store, kind(), level, arguments, postgresql.url)
                store.close()
                if name and (bad := forbidden(anomalies, name)):
                    raise Failed(f"{level}, {kind.name}: {dict(names(bad))}\n{explain(bad)}")
                total += anomalies
            expect_reference(level, names(total))


def expect_reference(level, found):
    expected = {"READ COMMITTED": {"lost update", "read skew", "write skew"}, "REPEATABLE READ": {"write skew"}}
    if missing := expected.get(level, set()) - set(found):
        raise Failed(f"{level}: not found: {sorted(missing)}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("martlet", nargs="?")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--servers", type=int, default=1, choices=(1, 2))
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--disturb", type=float, nargs="?", const=DISTURBANCE_SECONDS, metavar="SECONDS")
    parser.add_argument("--reference", action="store_true")
    arguments = parser.parse_args()
    if arguments.reference == bool(arguments.martlet):
        parser.error("either MARTLET or --reference")
    if arguments.reference and arguments.disturb:
        parser.error("the reference does not try again what was disturbed")
    levels = REFERENCE if arguments.reference else LEVELS
    arguments.each = arguments.seconds / len(levels) / len(WORKLOADS)
    return arguments


def main():
    arguments = parse_arguments()
    try:
        if wrong := list(problems(random.Random(arguments.seed))):
            raise Failed("the checker is wrong:\n" + "\n".join(wrong))
        test_reference(arguments) if arguments.reference else test_server(arguments)
    except (Failed, StoreError, SQLError, ServerError, PyMongoError, OSError) as error:
        sys.exit(f"isolation, seed {arguments.seed}: {error}")
    print(f"ok - isolation, seed {arguments.seed}")


if __name__ == "__main__":
    main()
