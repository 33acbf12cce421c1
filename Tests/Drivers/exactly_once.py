"""Clients write through a proxy that cuts connections, while servers and backends are killed. Each write is in the
database exactly once if it was acknowledged, and at most once if it was not.

    Tests/Drivers/exactly_once.py MARTLET [--servers 1|2] [--operations N] [--seconds N] [--seed S] [--no-keys]

Without --operations it runs until 20 seconds and 1,000 operations are over. `cutting_proxy.py` says what is cut,
`marked_operations.py` what is written, `evidence.py` what is compared.

A driver sends a write again once by itself, so some end with an error although they were applied. Every fourth client
puts an idempotency key on its writes and sends those again, as an application would, with a new client until they are
acknowledged: then their markers must be there, too. Some keys are sent again even though they were acknowledged.
"""

import argparse
import os
import random
import re
import shutil
import signal
import sys
import threading
import time
import uuid
from collections import Counter

from pymongo import MongoClient
from pymongo.errors import BulkWriteError, ClientBulkWriteException, ConnectionFailure, OperationFailure, PyMongoError

from cutting_proxy import CUTS, CuttingProxy
from evidence import Evidence, PROBLEMS_SHOWN, open_jobs, prepare_database
from marked_operations import DATABASE, DUPLICATE_KEY, MIX, Claim, Take, WrongAnswer
from moved_session import check_moved_session
from servers import Martlet, PostgreSQL, ServerError, processes_in, temporary_directory

CLIENTS = 16
OPERATIONS_MIN = 1000
SECONDS_MAX = 1800
ANSWER_SECONDS = 60  # an operation without an answer for so long has failed
PROBLEM_CHARACTERS_SHOWN = 300
KILL_SECONDS = 2.5
START_ATTEMPTS = 10
# Outcomes that a driver may report without knowing whether the write took place.
UNCERTAIN_CODES = {6, 7, 50, 89, 91, 189, 262, 462, 9001, 10107, 11600, 11602, 13435, 13436}


def connect(uri, **options):
    return MongoClient(uri, **{"directConnection": True, "serverSelectionTimeoutMS": ANSWER_SECONDS * 1000,
                               "socketTimeoutMS": ANSWER_SECONDS * 1000, **options})


def is_uncertain(error):
    if isinstance(error, ClientBulkWriteException) and error.error is not None:
        return is_uncertain(error.error)
    if isinstance(error, (BulkWriteError, ClientBulkWriteException)):
        failures = error.details["writeErrors"] + error.details["writeConcernErrors"]
        return bool(failures) and all(each["code"] in UNCERTAIN_CODES for each in failures)
    if isinstance(error, OperationFailure):
        return error.code in UNCERTAIN_CODES or error.has_error_label("RetryableWriteError")
    return isinstance(error, ConnectionFailure)


def summary_of(error):
    error = getattr(error, "error", None) or error
    code = getattr(error, "code", None)
    if code is not None:
        label = " with" if error.has_error_label("RetryableWriteError") else " without"
        return f"{type(error).__name__} {code}{label} label"
    return type(error).__name__


class Run:
    """What the workers share."""

    def __init__(self, arguments, proxy, direct_uri):
        self.arguments = arguments
        self.proxy = proxy
        self.direct = connect(direct_uri)
        self.started = time.monotonic()
        self.lock = threading.Lock()
        self.done = 0
        self.causes = Counter()
        self.counts = Counter()
        self.problems = []

    def is_over(self):
        elapsed = time.monotonic() - self.started
        if len(self.problems) >= PROBLEMS_SHOWN or elapsed > SECONDS_MAX:
            return True
        if self.arguments.operations:
            return self.done >= self.arguments.operations
        return elapsed >= self.arguments.seconds and self.done >= OPERATIONS_MIN

    def count(self, name, number=1):
        with self.lock:
            self.counts[name] += number

    def add_problem(self, text):
        with self.lock:
            self.problems.append(text)

    def store(self, write):
        """Something that must be there, written past the proxy. What it writes is not touched before it has returned,
        so a repetition after a failure can only meet its own documents."""
        while True:
            try:
                return write(self.direct[DATABASE])
            except BulkWriteError as error:
                if all(each["code"] == DUPLICATE_KEY for each in error.details["writeErrors"]):
                    return None
                time.sleep(0.1)
            except PyMongoError:
                time.sleep(0.1)


class Worker(threading.Thread):
    """One client of the application."""

    def __init__(self, run, number):
        super().__init__(daemon=True)
        self.run_state = run
        self.number = number
        self.random = random.Random(f"{run.arguments.seed}/{number}")
        self.has_keys = run.arguments.keys and number % 4 == 3
        self.operations = []
        self.client = self.connect()

    def connect(self):
        options = {}
        if self.has_keys:
            options["retryWrites"] = self.random.random() < 0.5
        if self.random.random() < 0.2:
            options["timeoutMS"] = ANSWER_SECONDS * 1000  # then the driver retries more than once
        if self.random.random() < 0.3:
            options["maxIdleTimeMS"] = 1  # then a session goes from connection to connection, and from server to server
        return connect(self.run_state.proxy.uri, **options)

    def run(self):
        try:
            while not self.run_state.is_over():
                self.perform(self.next_operation())
                if self.random.random() < 0.01:
                    self.renew_client()
            self.client.close()
        except Exception as error:  # a mistake of this test
            self.run_state.add_problem(f"worker {self.number}: {error!r}")
            raise

    def renew_client(self):
        self.client.close()
        self.client = self.connect()

    def next_operation(self):
        kinds = [kind for kind in MIX if kind.takes_key or not self.has_keys]
        kind = self.random.choices(kinds, [MIX[kind] for kind in kinds])[0]
        operation = kind(f"w{self.number}-{len(self.operations)}", self.random)
        self.operations.append(operation)
        return operation

    def perform(self, operation):
        self.run_state.store(operation.set_up)
        options = {"comment": {"idempotencyKey": str(uuid.uuid4())}} if self.has_keys else {}
        self.deliver(operation, options)
        while not operation.is_acknowledged and self.has_keys and not self.run_state.problems:
            time.sleep(self.random.uniform(0, 0.2))
            self.run_state.count("application")
            self.renew_client()
            self.deliver(operation, options)
        if operation.is_acknowledged and self.has_keys and self.random.random() < 0.15:
            self.deliver_again(operation, options)
        if operation.is_acknowledged and isinstance(operation, (Claim, Take)) and not operation.answer:
            self.add_jobs(operation.marker)
        with self.run_state.lock:
            self.run_state.done += 1

    def deliver(self, operation, options):
        started = time.monotonic()
        try:
            operation.answer = operation.send(self.client, **options)
            operation.is_acknowledged = True
            operation.history += "acknowledged"
        except WrongAnswer as error:
            operation.history += "wrong answer"
            self.run_state.add_problem(f"wrong answer: {error}")
        except OverflowError:
            # PyMongo 4.20 computes 2 ** attempts before it bounds the back-off: the outcome is unknown.
            operation.history += "OverflowError, "
        except PyMongoError as error:
            operation.history += f"{summary_of(error)}, "
            with self.run_state.lock:
                self.run_state.causes[summary_of(error)] += 1
            if not is_uncertain(error):
                self.run_state.add_problem(f"{type(operation).__name__} {operation.marker}: unexpected {error!r}")
        if time.monotonic() - started > ANSWER_SECONDS - 1:
            self.run_state.add_problem(f"{type(operation).__name__} {operation.marker}: no answer in time")

    def deliver_again(self, operation, options):
        """A message that reaches the application twice."""
        self.run_state.count("twice")
        with connect(self.run_state.proxy.uri) as client:
            try:
                answer = operation.send(client, **options)
            except WrongAnswer as error:
                self.run_state.add_problem(f"wrong answer to a key used before: {error}")
            except PyMongoError as error:
                if not is_uncertain(error):
                    self.run_state.add_problem(f"{operation.marker}: a key used before was answered {error!r}")
            else:
                if answer != operation.answer:
                    self.run_state.add_problem(f"{operation.marker}: the key was answered {operation.answer!r} first, "
                                               f"then {answer!r}")

    def add_jobs(self, prefix):
        self.run_state.store(lambda database: database.jobs.insert_many(open_jobs(prefix), ordered=False))


class Killer(threading.Thread):
    """Kills something every few seconds; each kind comes up before one comes up again."""

    def __init__(self, run, servers, postgresql):
        super().__init__(daemon=True)
        self.run_state = run
        self.servers = servers
        self.postgresql = postgresql
        self.random = random.Random(f"{run.arguments.seed}/killer")
        self.stopping = threading.Event()
        self.kinds = [self.terminate_backend, self.terminate_backend, self.kill_backend, self.kill_server]
        if not postgresql:
            self.kinds.append(self.kill_postmaster)

    def run(self):
        deck = []
        while not self.stopping.wait(self.random.uniform(0.5, 1.5) * KILL_SECONDS):
            if not deck:
                deck = self.random.sample(self.kinds, len(self.kinds))
            kill = deck.pop()
            try:
                if kill():
                    self.run_state.count(kill.__name__)
            except (ServerError, OSError) as error:
                self.run_state.add_problem(f"{kill.__name__}: {error}")

    def stop(self):
        self.stopping.set()
        self.join()

    def terminate_backend(self):
        return self.signal_backend(signal.SIGTERM)  # what pg_terminate_backend does

    def kill_backend(self):
        """The postmaster then ends all others and recovers."""
        return self.signal_backend(signal.SIGKILL)

    def signal_backend(self, number):
        owner = self.postgresql or self.servers[0]
        if not (backends := [each for each in processes_in(owner.data_directory) if is_backend(each)]):
            return False
        try:
            os.kill(self.random.choice(backends), number)
        except ProcessLookupError:
            return False
        return True

    def kill_server(self):
        server = self.random.choice(self.servers)
        server.kill()
        time.sleep(self.random.choice([0, 0.5]))
        self.start_server(server)
        return True

    def start_server(self, server):
        """As a supervisor does: a server gives up if PostgreSQL still recovers from what was killed before."""
        for attempt in range(START_ATTEMPTS - 1):
            try:
                server.start()
                return
            except ServerError:
                time.sleep(0.5)
        server.start()

    def kill_postmaster(self):
        os.kill(self.servers[0].postmaster(), signal.SIGKILL)
        return True


def is_backend(process):
    """Of a client, as the title says; not a checkpointer or the like."""
    try:
        with open(f"/proc/{process}/cmdline", "rb") as file:
            title = file.read()
    except OSError:
        return False
    return title.startswith(b"postgres: ") and b"[local]" in title


def work(run, servers, postgresql):
    """Returns all operations, when nothing is under way any more."""
    workers = [Worker(run, number) for number in range(CLIENTS)]
    killer = Killer(run, servers, postgresql)
    for thread in (*workers, killer):
        thread.start()
    for worker in workers:
        worker.join()
    killer.stop()
    run.proxy.quiesce()
    time.sleep(1)  # requests whose connection was cut on both sides
    return [operation for worker in workers for operation in worker.operations]


def check(run, servers, operations):
    for server in servers:
        with connect(server.uri) as client:
            problems = Evidence(client[DATABASE], operations).check()
        run.problems += problems
        if problems:
            break
    if run.proxy.counts["retried"] == 0:
        run.problems.append("no write was retried: this run shows nothing")


def report(run, operations):
    counts, cuts = run.counts, run.proxy.counts
    acknowledged = sum(each.is_acknowledged for each in operations)
    statements = sum(len(each.markers) for each in operations)
    kills = {name: counts[name] for name in ("kill_server", "kill_postmaster", "kill_backend", "terminate_backend")}
    print(f"{len(operations)} operations with {statements} markers in {time.monotonic() - run.started:.1f} s: "
          f"{acknowledged} acknowledged, {len(operations) - acknowledged} unknown; {cuts['retried']} requests "
          f"sent again by the driver, {counts['application']} by the application, "
          f"{counts['twice']} after they were acknowledged; {cuts['recognized']} replies say retriedStmtIds")
    print(f"cuts: {sum(cuts[kind] for kind in CUTS)}, " + ", ".join(f"{kind} {cuts[kind]}" for kind in CUTS)
          + "; kills: " + ", ".join(f"{name} {number}" for name, number in kills.items()))
    print("errors seen: " + (", ".join(f"{number} {cause}" for cause, number in run.causes.most_common()) or "none"))


def run_test(arguments, servers, postgresql):
    if postgresql:
        postgresql.start()
    for server in servers:
        server.start()
    proxy = CuttingProxy([server.port for server in servers], arguments.seed).start()
    run = Run(arguments, proxy, servers[0].uri)
    prepare_database(run.direct[DATABASE])
    if len(servers) > 1:
        run.problems += check_moved_session([server.uri for server in servers])
    operations = work(run, servers, postgresql)
    check(run, servers, operations)
    report(run, operations)
    run.direct.close()
    proxy.stop()
    if run.problems:
        for problem in run.problems[:PROBLEMS_SHOWN]:
            print(f"  {problem[:PROBLEM_CHARACTERS_SHOWN]}")
            for marker in set(re.findall(r"w\d+-\d+", problem)[:1]):
                print("".join(f"      {event}\n" for event in proxy.trace[marker]), end="")
        raise ServerError(f"{len(run.problems)} problems with --seed {arguments.seed} --servers {arguments.servers}")
    for server in servers:
        server.stop()


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("martlet")
    parser.add_argument("--servers", type=int, choices=[1, 2], default=1)
    parser.add_argument("--operations", type=int)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--no-keys", dest="keys", action="store_false", help="no idempotency keys")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    print(f"seed {arguments.seed}, servers {arguments.servers}")
    directory = temporary_directory()
    postgresql = PostgreSQL(directory) if arguments.servers > 1 else None
    url = postgresql.url if postgresql else None
    servers = [Martlet(arguments.martlet, directory, url) for _ in range(arguments.servers)]
    try:
        run_test(arguments, servers, postgresql)
    except (ServerError, OSError, PyMongoError, TimeoutError) as error:
        sys.exit(f"exactly_once: {error}")
    finally:
        for server in (*servers, *([postgresql] if postgresql else [])):
            server.clean_up()
        shutil.rmtree(directory, ignore_errors=True)
    print("ok - exactly_once")


main()
