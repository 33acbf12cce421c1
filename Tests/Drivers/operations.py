"""Makes commands fail by fail points and checks what a driver sees of it.

    Tests/Drivers/operations.py MARTLET
"""

import os
import shutil
import sys
import time
from contextlib import contextmanager

from pymongo import MongoClient, monitoring
from pymongo.errors import AutoReconnect, PyMongoError

from servers import Martlet, ServerError, temporary_directory

DATABASE = "operations"


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


def run(binary, directory):
    server = Martlet(binary, directory, environment={"MARTLET_ENABLE_TEST_COMMANDS": "true"})
    try:
        server.start()
        client = MongoClient(server.uri)
        fails_with_the_code_that_is_asked_for(client)
        labels_what_may_be_sent_again(client)
        adds_the_error_of_a_write_concern(client)
        breaks_the_connection(client)
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
    except (AssertionError, PyMongoError, ServerError) as error:
        print(f"operations: {type(error).__name__}: {error}")
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print("ok - operations")
    return 0


if __name__ == "__main__":
    sys.exit(main())
