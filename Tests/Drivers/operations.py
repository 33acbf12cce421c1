"""Makes commands fail by fail points, and stops them while they run: by killOp, by maxTimeMS, by hanging up.

    Tests/Drivers/operations.py MARTLET
"""

import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

from bson import Int64
from pymongo import MongoClient, monitoring
from pymongo.errors import AutoReconnect, PyMongoError

from servers import Martlet, PostgreSQL, ServerError, postgresql_tool, temporary_directory, wait_until

DATABASE = "operations"
DOCUMENTS = 200_000
# No index and no end: a scan that takes long enough to be stopped.
SLOW_FILTER = {"text": {"$regex": "(x+x+)+[yz]"}}
STOP_SECONDS = 10


class Started(monitoring.CommandListener):
    """The names of the commands that a client has sent."""

    def __init__(self):
        self.names = []

    def started(self, event):
        self.names.append(event.command_name)

    def succeeded(self, event):
        pass

    def failed(self, event):
        pass


def check(condition, what):
    if not condition:
        raise AssertionError(what)


@contextmanager
def fail_point(client, mode="alwaysOn", name="failCommand", **data):
    client.admin.command({"configureFailPoint": name, "mode": mode, "data": data})
    try:
        yield
    finally:
        client.admin.command({"configureFailPoint": name, "mode": "off"})


def failure_of(call):
    try:
        call()
    except PyMongoError as error:
        return error
    raise AssertionError("no error")


def fails_with_the_code_that_is_asked_for(client):
    things = client[DATABASE].things
    with fail_point(client, {"times": 1}, failCommands=["count"], errorCode=2):
        error = failure_of(lambda: client[DATABASE].command("count", "things"))
        check(error.code == 2 and error.details["codeName"] == "BadValue", error.details)
        client[DATABASE].command("count", "things")
    with fail_point(client, failCommands=["insert"], errorCode=2, errorLabels=["One", "Two"]):
        error = failure_of(lambda: things.insert_one({}))
        check(error.details["errorLabels"] == ["One", "Two"], error.details)
    with fail_point(client, {"skip": 1}, failCommands=["find"], errorCode=96):
        things.find_one()
        check(failure_of(things.find_one).code == 96, "the second one fails")


def labels_what_may_be_sent_again(client):
    things = client[DATABASE].things
    with fail_point(client, {"times": 2}, failCommands=["insert"], errorCode=91):
        error = failure_of(lambda: things.insert_one({}))
        check(error.has_error_label("RetryableWriteError"), error.details)
    with fail_point(client, {"times": 1}, failCommands=["insert"], errorCode=91, errorLabels=[]):
        error = failure_of(lambda: things.insert_one({}))
        check(not error.has_error_label("RetryableWriteError"), error.details)
    with fail_point(client, {"times": 1}, failCommands=["insert"], errorCode=11000):
        error = failure_of(lambda: things.insert_one({}))
        check(not error.has_error_label("RetryableWriteError"), error.details)


def adds_the_error_of_a_write_concern(client):
    things = client[DATABASE].things
    things.delete_many({})
    concern = {"code": 91, "errmsg": "shutting down"}
    with fail_point(client, {"times": 1}, failCommands=["insert"], writeConcernError=concern):
        reply = client[DATABASE].command("insert", "things", documents=[{"_id": 1}])
        check(reply["writeConcernError"] == concern and "errorLabels" not in reply, reply)
    check(things.count_documents({}) == 1, "the write itself is done")


def tells_of_a_change_of_state(client):
    for code in (91, 189, 10107, 11600, 11602, 13435, 13436):
        before = client.admin.command("hello")["topologyVersion"]
        with fail_point(client, {"times": 1}, failCommands=["count"], errorCode=code):
            told = failure_of(lambda: client[DATABASE].command("count", "things")).details["topologyVersion"]
        check(told == {**before, "counter": before["counter"] + 1}, f"{code}: {told} after {before}")
        check(client.admin.command("hello")["topologyVersion"] == told, f"{code}: hello knows of it, too")
    with fail_point(client, {"times": 1}, failCommands=["count"], errorCode=2):
        error = failure_of(lambda: client[DATABASE].command("count", "things"))
        check("topologyVersion" not in error.details, error.details)
    concern = {"code": 91, "errmsg": "shutting down"}
    with fail_point(client, {"times": 1}, failCommands=["insert"], writeConcernError=concern):
        reply = client[DATABASE].command("insert", "things", documents=[{}])
        check(reply["topologyVersion"]["counter"] == told["counter"] + 1, reply)


def breaks_the_connection(client):
    things = client[DATABASE].things
    with fail_point(client, {"times": 1}, failCommands=["aggregate", "count"], closeConnection=True):
        check(isinstance(failure_of(lambda: client[DATABASE].command("count", "things")), AutoReconnect), "count")
    with fail_point(client, {"times": 1}, failCommands=["find"], closeConnection=True):
        things.find_one()  # which the driver reads again


def blocks_for_a_while(client):
    with fail_point(client, {"times": 1}, failCommands=["ping"], blockConnection=True, blockTimeMS=300):
        start = time.monotonic()
        client.admin.command("ping")
        check(time.monotonic() - start >= 0.3, "it did not wait")


def concerns_one_application(client, uri):
    shop = MongoClient(uri, appname="shop")
    with fail_point(client, failCommands=["ping"], errorCode=2, appName="shop"):
        client.admin.command("ping")
        check(failure_of(lambda: shop.admin.command("ping")).code == 2, "shop")
    shop.close()


def counts_statements(client, uri):
    """The same for statements in the body of a command, and beside it as drivers send them."""
    things = client[DATABASE].things
    name = "onPrimaryTransactionalWrite"
    for command, field, statements in (
            ("insert", "documents", [{"_id": 1}, {"_id": 2}, {"_id": 3}]),
            ("update", "updates", [{"q": {"_id": i}, "u": {}, "upsert": True} for i in (1, 2, 3)])):
        things.delete_many({})
        with MongoClient(uri) as other, other.start_session() as session, fail_point(
                client, {"skip": 2}, name, failBeforeCommitExceptionCode=2, closeConnection=False):
            error = failure_of(lambda: other[DATABASE].command(
                command, "things", **{field: statements}, txnNumber=Int64(1), session=session))
            check(error.code == 2, f"{command}: {error.details}")
        check(things.distinct("_id") == [1, 2], f"{command}: the first two are done: {things.distinct('_id')}")
    things.delete_many({})
    with fail_point(client, {"skip": 2}, name, failBeforeCommitExceptionCode=2, closeConnection=False):
        check(failure_of(lambda: things.insert_many({"_id": i} for i in (1, 2, 3))).code == 2, "insert_many")
    check(things.distinct("_id") == [1, 2], "insert_many")


def fails_around_the_commit(client, uri):
    things = client[DATABASE].things
    things.delete_many({})
    name = "onPrimaryTransactionalWrite"
    with fail_point(client, {"times": 2}, name, failBeforeCommitExceptionCode=1):
        check(isinstance(failure_of(lambda: things.insert_one({"_id": 1})), AutoReconnect), "twice before the commit")
    check(things.count_documents({}) == 0, "nothing is committed")
    with fail_point(client, {"times": 1}, name, failBeforeCommitExceptionCode=1):
        things.insert_one({"_id": 1})
    check(things.count_documents({}) == 1, "the second attempt is committed")
    started = Started()
    observed = MongoClient(uri, event_listeners=[started])
    with fail_point(client, {"times": 1}, name):
        observed[DATABASE].things.update_one({"_id": 1}, {"$set": {"n": 1}})
    check(started.names == ["update", "update"], started.names)
    observed.close()


def exists_only_for_tests(directory, binary):
    server = Martlet(binary, directory)
    try:
        server.start()
        client = MongoClient(server.uri)
        error = failure_of(lambda: client.admin.command("configureFailPoint", "failCommand", mode="off"))
        check(error.code == 59, error)
        client.close()
        server.stop()
    finally:
        server.clean_up()


class Stopped(threading.Thread):
    """Runs `call`, which somebody is going to stop, and keeps its error."""

    def __init__(self, call):
        super().__init__(daemon=True)
        self.call = call
        self.error = None
        self.start()

    def run(self):
        try:
            self.call()
        except PyMongoError as error:
            self.error = error

    def result(self):
        self.join(STOP_SECONDS)
        check(not self.is_alive(), f"not stopped after {STOP_SECONDS} s")
        return self.error


def operation(client, **filter):
    """The running operation that `filter` describes."""
    found = []

    def look():
        found[:] = client.admin.command({"currentOp": 1, **filter})["inprog"]
        return bool(found)

    wait_until(look, STOP_SECONDS, f"an operation with {filter}")
    return found[0]


class Statements:
    """What PostgreSQL runs for Martlet."""

    def __init__(self, postgresql):
        self.command = [postgresql_tool("psql"), postgresql.url, "-Atc",
                        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'martlet-general' "
                        "AND state <> 'idle'"]

    def running(self):
        return int(subprocess.run(self.command, capture_output=True, check=True, text=True).stdout)


def fill(client):
    many = client[DATABASE].many
    for start in range(0, DOCUMENTS, 20_000):
        many.insert_many([{"_id": i, "n": i, "text": "x" * 10} for i in range(start, start + 20_000)])


def shows_and_kills_a_scan(client, statements):
    many = client[DATABASE].many
    scan = Stopped(lambda: list(many.find(SLOW_FILTER, comment="slow")))
    shown = operation(client, ns=f"{DATABASE}.many", op="query")
    check(shown["command"]["comment"] == "slow" and shown["active"], shown)
    client.admin.command("killOp", op=shown["opid"])
    check(scan.result() is not None and scan.error.code == 11601, scan.error)
    wait_until(lambda: statements.running() == 0, STOP_SECONDS, "PostgreSQL has stopped, too")
    client.admin.command("killOp", op=12345678)


def keeps_to_the_time_limit(client, statements):
    db = client[DATABASE]
    slow_update = [{"q": SLOW_FILTER, "u": {"$set": {"seen": 1}}, "multi": True}]
    commands = [
        ("find", {"find": "many", "filter": SLOW_FILTER}),
        ("count by a scan", {"count": "many", "query": SLOW_FILTER}),
        ("distinct", {"distinct": "many", "key": "n", "query": SLOW_FILTER}),
        ("updateMany", {"update": "many", "updates": slow_update}),
        ("deleteMany", {"delete": "many", "deletes": [{"q": SLOW_FILTER, "limit": 0}]}),
    ]
    for name, command in commands:
        limit = 100
        start = time.monotonic()
        error = failure_of(lambda: db.command({**command, "maxTimeMS": limit}))
        check(error.code == 50, f"{name}: {error}")
        print(f"    maxTimeMS {limit} on {name}: {1000 * (time.monotonic() - start):.0f} ms")
    wait_until(lambda: statements.running() == 0, STOP_SECONDS, "PostgreSQL has stopped, too")
    check(db.command("count", "many", maxTimeMS=60_000)["n"] == DOCUMENTS, "nothing was deleted")


def answers_in_time_while_all_connections_are_busy(client, statements):
    many = client[DATABASE].many
    scans = [Stopped(lambda: list(many.find(SLOW_FILTER, comment="busy"))) for _ in range(6)]
    wait_until(lambda: len(client.admin.command({"currentOp": 1, "command.comment": "busy"})["inprog"]) == 6,
               STOP_SECONDS, "six scans")
    start = time.monotonic()
    error = failure_of(lambda: client[DATABASE].command("count", "many", maxTimeMS=100))
    check(error.code == 50, error)
    print(f"    maxTimeMS 100 behind six scans: {1000 * (time.monotonic() - start):.0f} ms")
    for shown in client.admin.command({"currentOp": 1, "command.comment": "busy"})["inprog"]:
        client.admin.command("killOp", op=shown["opid"])
    for scan in scans:
        check(scan.result() is not None and scan.error.code == 11601, scan.error)
    wait_until(lambda: statements.running() == 0, STOP_SECONDS, "PostgreSQL has stopped, too")


def stops_for_a_client_that_hangs_up(client, uri, statements):
    # The client gives up before the server does, and closes its connection.
    hasty = MongoClient(uri, socketTimeoutMS=300, retryReads=False)
    check(isinstance(failure_of(lambda: list(hasty[DATABASE].many.find(SLOW_FILTER))), AutoReconnect), "hung up")
    wait_until(lambda: statements.running() == 0, STOP_SECONDS, "the scan of a client that is gone")
    wait_until(lambda: not client.admin.command({"currentOp": 1, "op": "query"})["inprog"], STOP_SECONDS,
               "and its operation")
    hasty.close()


def run_stopped(binary, directory):
    postgresql = PostgreSQL(directory)
    server = Martlet(binary, directory, postgresql_url=postgresql.url)
    try:
        postgresql.start()
        server.start()
        client = MongoClient(server.uri)
        statements = Statements(postgresql)
        fill(client)
        shows_and_kills_a_scan(client, statements)
        keeps_to_the_time_limit(client, statements)
        answers_in_time_while_all_connections_are_busy(client, statements)
        stops_for_a_client_that_hangs_up(client, server.uri, statements)
        client.close()
        server.stop()
        postgresql.stop()
    finally:
        server.clean_up()
        postgresql.clean_up()


def run(binary, directory):
    server = Martlet(binary, directory, environment={"MARTLET_ENABLE_TEST_COMMANDS": "true"})
    try:
        server.start()
        client = MongoClient(server.uri)
        fails_with_the_code_that_is_asked_for(client)
        labels_what_may_be_sent_again(client)
        adds_the_error_of_a_write_concern(client)
        tells_of_a_change_of_state(client)
        breaks_the_connection(client)
        counts_statements(client, server.uri)
        blocks_for_a_while(client)
        concerns_one_application(client, server.uri)
        fails_around_the_commit(client, server.uri)
        client.close()
        server.stop()
    finally:
        server.clean_up()
    exists_only_for_tests(directory, binary)


def main():
    if len(sys.argv) != 2 or not os.path.exists(sys.argv[1]):
        sys.exit(__doc__)
    directory = temporary_directory()
    try:
        run(sys.argv[1], directory)
        run_stopped(sys.argv[1], directory)
    except (AssertionError, PyMongoError, ServerError) as error:
        print(f"operations: {type(error).__name__}: {error}")
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print("ok - operations")
    return 0


if __name__ == "__main__":
    sys.exit(main())
